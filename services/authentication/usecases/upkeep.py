"""What happens without being asked: expired rows go, envelope certificates are renewed."""

import asyncio
from datetime import timedelta

from services.authentication.ports import Pruning
from services.authentication.usecases.envelope_keys import EnvelopeKeys
from services.common.clock import Clock

_LOT = 500
_PAUSE_S = 10.0
_CERTIFICATES_S = 3600.0
# An expired OTP is told apart from none for so long.
_GRACE = timedelta(minutes=10)


class Upkeep:
    """Both loops end only by being cancelled, or by an error that the caller of run reports."""

    def __init__(self, pruning: Pruning, keys: EnvelopeKeys, clock: Clock) -> None:
        self._pruning = pruning
        self._keys = keys
        self._clock = clock

    async def prune_once(self) -> int:
        """Delete what is over, in lots; return how many rows."""
        deleted = 0
        while True:
            lot = await self._pruning.prune(self._clock.now() - _GRACE, _LOT)
            deleted += lot
            if lot < _LOT:
                return deleted

    async def prune(self) -> None:
        """Prune, wait, for ever."""
        while True:
            await asyncio.sleep(_PAUSE_S)
            await self.prune_once()

    async def renew(self) -> None:
        """Look after the envelope certificates, for ever."""
        while True:
            await asyncio.sleep(_CERTIFICATES_S)
            await self._keys.ensure()
