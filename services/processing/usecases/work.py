"""What a worker holds while it runs the stages of one registration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from services.processing.domain.flow import Ended, Outcome
from services.processing.domain.packet import OpenedPacket
from services.processing.domain.registration import GalleryPosition, Registration
from services.processing.ports import Transaction

Effect = Callable[[Transaction], Awaitable[None]]


@dataclass
class Work:
    """One lease.

    Attributes:
        registration: as of the last commit, and what the stages since then came to.
        open_packet: opens the packet, once in a lease.
        kept: candidates or a case may be stored: an earlier lease, or this one, kept something.
        ended: the stages whose outcomes the next commit stores.
        released: the last commit gave the lease back.
    """

    registration: Registration
    open_packet: Callable[[Registration], Awaitable[OpenedPacket]]
    kept: bool = True
    opened: OpenedPacket | None = None
    ended: list[Ended] = field(default_factory=list)
    released: bool = False

    async def packet(self) -> OpenedPacket:
        """Return the packet in clear; it is opened again only in a new lease.

        Raises:
            PacketRefusedError: it cannot be used.
        """
        if self.opened is None:
            self.opened = await self.open_packet(self.registration)
        return self.opened


@dataclass(frozen=True)
class Result:
    """An outcome, and what is written in the commit that stores it, behind the same fence.

    position: of the reference in abis, where the stage inserted it.
    """

    outcome: Outcome
    effect: Effect | None = None
    position: GalleryPosition | None = None


class Stage(Protocol):
    """One stage of a flow. Its calls of other services are idempotent by registration."""

    async def __call__(self, work: Work) -> Result:
        """Run the stage.

        Raises:
            PacketRefusedError: the packet cannot be used: the registration fails.
            PlatformError: something is away: the stage is tried again.
        """
        ...
