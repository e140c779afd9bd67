"""Warnings of certificates that end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.common.clock import Clock
from services.partner.domain.partner import Held, Partner
from services.partner.ports import Directory, Messages

DEFAULT_PAGE_SIZE = 50
_AT_ONCE = 500


class Expiry:
    """Tells of partners' certificates that stop being taken soon.

    days: how long before the end a warning goes out; one for each.
    """

    def __init__(
        self, directory: Directory, messages: Messages, clock: Clock, days: Sequence[int]
    ) -> None:
        self._directory = directory
        self._messages = messages
        self._clock = clock
        self._days = sorted(days)
        # Of this process; what others warned of is in the store.
        self._done: set[tuple[bytes, int]] = set()

    async def list(self, within_days: int, page_size: int) -> list[tuple[Partner, Held]]:
        """Return certificates that end within a time, soonest first."""
        now = self._clock.now()
        until = now + timedelta(days=within_days)
        return await self._directory.expiring(now, until, page_size or DEFAULT_PAGE_SIZE)

    async def warn(self) -> int:
        """Send what is due; return how many certificates end within the longest time.

        A certificate gets the warning of the shortest time that it is in: one that came late is
        not warned of thrice at once.

        Raises:
            Unavailable: notification is away; what was not handed over is not noted.
        """
        if not self._days:
            return 0
        now = self._clock.now()
        until = now + timedelta(days=self._days[-1])
        found = await self._directory.expiring(now, until, _AT_ONCE)
        for partner, held in found:
            left = held.usable_until - now
            days = next(each for each in self._days if left <= timedelta(days=each))
            if (held.thumbprint, days) in self._done:
                continue
            if partner.contact_email:
                # Its idempotency key makes a second one no second mail.
                await self._messages.warn(partner, held, days)
            async with self._directory.change() as changes:
                await changes.warned(partner.partner_id, held.thumbprint, days)
            self._done.add((held.thumbprint, days))
        return len(found)
