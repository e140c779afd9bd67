"""A packet was stored: its registration begins."""

from __future__ import annotations

from services.processing.domain.flow import FLOWS
from services.processing.domain.registration import Received
from services.processing.ports import Transaction

UNKNOWN_PROCESS_STAGE = "open_packet"


async def receive(tx: Transaction, received: Received) -> None:
    """Take a registration in, in the transaction given; one that is there stays as it is."""
    flow = FLOWS.get(received.process)
    first = flow.first if flow else UNKNOWN_PROCESS_STAGE
    subject = received.registration_id.encode()
    if await tx.add(received, first):
        details = {"process": received.process}
        await tx.audit("REGISTRATION_ACCEPTED", "registration", subject, details=details)
