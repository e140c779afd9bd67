"""A packet was stored: its registration begins."""

from __future__ import annotations

from services.processing.domain.flow import FLOWS
from services.processing.domain.registration import Received
from services.processing.ports import Transaction

UNKNOWN_PROCESS_STAGE = "open_packet"


async def receive(tx: Transaction, received: Received) -> None:
    """Take a registration in, in the transaction given; one that is there stays as it is.

    A second packet takes the place of a first one that could not be opened. Any other is turned
    away, so that its machine does not wait for an answer for ever.
    """
    flow = FLOWS.get(received.process)
    first = flow.first if flow else UNKNOWN_PROCESS_STAGE
    subject = received.registration_id.encode()
    details = {"process": received.process}
    if await tx.add(received, first):
        await tx.audit("REGISTRATION_ACCEPTED", "registration", subject, details=details)
        return
    known = await tx.registration(received.registration_id)
    if known is not None and known.received.packet_id == received.packet_id:
        return
    if await tx.restart(received, first):
        await tx.audit("REGISTRATION_RESTARTED", "registration", subject, details=details)
        return
    await tx.turn_away(received, "PACKET_NOT_EXPECTED")
    await tx.audit(
        "PACKET_TURNED_AWAY", "registration", subject, outcome="REFUSED", details=details
    )
