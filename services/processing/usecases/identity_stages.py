"""The last stages: a UIN, its publication, the message to its holder."""

from __future__ import annotations

from services.common.errors import InvalidArgument
from services.processing.domain.flow import go_on
from services.processing.domain.packet import PacketRefusedError
from services.processing.ports import Identities
from services.processing.usecases.work import Result, Work

UIN_FAILED = "RPR-UGS-FAILED-004"


class AllocateUin:
    """The stage that makes a draft with a UIN."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        packet = await work.packet()
        try:
            await self._identities.create(work.registration.registration_id, packet)
        except InvalidArgument as error:
            raise PacketRefusedError("IDENTITY_RECORD_REFUSED", UIN_FAILED) from error
        return Result(go_on())


class Publish:
    """The stage that activates the draft."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        await self._identities.publish(work.registration.registration_id)
        return Result(go_on())


class Notify:
    """The stage that tells the individual."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        sent = await self._identities.notify(work.registration.registration_id)
        return Result(go_on("" if sent else "NO_CHANNEL_TO_NOTIFY"))
