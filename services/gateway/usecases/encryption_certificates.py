"""The certificates that partners seal for, remembered for a minute."""

from collections.abc import Mapping

from services.common.clock import Clock
from services.common.errors import NotFound
from services.gateway.ports import Authentication

_TTL_S = 60.0


class EncryptionCertificates:
    """Reads through to authentication."""

    def __init__(self, authentication: Authentication, clock: Clock) -> None:
        self._authentication = authentication
        self._clock = clock
        self._until_s = float("-inf")
        self._known: Mapping[str, str] = {}

    async def __call__(self, reference_id: str) -> str:
        """Return a certificate, PEM.

        Raises:
            NotFound: ENCRYPTION_CERTIFICATE_NOT_FOUND.
            Unavailable: authentication is away.
        """
        if self._clock.monotonic() >= self._until_s:
            self._known = await self._authentication.encryption_certificates()
            self._until_s = self._clock.monotonic() + _TTL_S
        if reference_id not in self._known:
            raise NotFound(
                "ENCRYPTION_CERTIFICATE_NOT_FOUND",
                "There are certificates for PARTNER and IDA-FIR.",
                field="reference_id",
            )
        return self._known[reference_id]
