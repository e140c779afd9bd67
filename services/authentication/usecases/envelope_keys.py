"""The keys that partners and devices seal for: their certificates here, the keys in Vault."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from services.authentication.ports import (
    EnvelopeAuthority,
    EnvelopeCertificate,
    EnvelopeCertificates,
    Unwrapper,
)
from services.common.clock import Clock
from services.common.errors import InvalidArgument
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.sealed import SESSION_KEY_BYTES

PARTNER = "PARTNER"
IDA_FIR = "IDA-FIR"
KEYS: Mapping[str, str] = {
    PARTNER: "ida/transit/partner-envelope",
    IDA_FIR: "ida/transit/fir-envelope",
}
_RELOAD_S = 5.0
_RENEW_BEFORE = timedelta(days=60)


class EnvelopeKeys:
    """Finds the key by the certificate's thumbprint; unwraps session keys with it.

    Certificates are kept for good, so that a request sealed for the last one still opens.
    """

    def __init__(
        self,
        certificates: EnvelopeCertificates,
        authority: EnvelopeAuthority,
        unwrapper: Unwrapper,
        clock: Clock,
    ) -> None:
        self._certificates = certificates
        self._authority = authority
        self._unwrapper = unwrapper
        self._clock = clock
        self._known: dict[tuple[str, bytes], EnvelopeCertificate] = {}
        self._loaded_at_s = float("-inf")
        self._loading = asyncio.Lock()

    async def ensure(self) -> None:
        """Make the certificates that are missing or about to end. Idempotent."""
        enough = self._clock.now() + _RENEW_BEFORE
        await self._load()
        for reference_id, key in KEYS.items():
            version = await self._authority.latest_version(key)
            if any(
                one.key_version == version and one.not_after > enough
                for one in self._of(reference_id)
            ):
                continue
            made = await self._authority.certify(key, version, reference_id)
            await self._certificates.add_unless_current(
                EnvelopeCertificate(
                    reference_id, version, made.der, made.thumbprint, made.not_after
                ),
                enough,
            )
        await self._load()

    def current(self) -> list[EnvelopeCertificate]:
        """Return the certificate of each reference id that requests are to be sealed for."""
        return [kept[0] for reference_id in KEYS if (kept := self._of(reference_id))]

    async def unwrap(
        self, reference_id: str, thumbprint: bytes, wrapped: Sequence[bytes]
    ) -> list[bytes]:
        """Unwrap session keys that were sealed for one certificate.

        Raises:
            WireError: IDA-MPA-004 for a certificate that is not ours or has ended, IDA-MPA-003
                for what it does not open.
            Unavailable: Vault is away.
        """
        certificate = await self._find(reference_id, thumbprint)
        if certificate is None or certificate.not_after <= self._clock.now():
            raise WireError(IdaError.PUBLICKEY_EXPIRED)
        try:
            opened = await self._unwrapper.rsa_decrypt(
                KEYS[reference_id], certificate.key_version, wrapped
            )
        except InvalidArgument:
            if certificate not in self.current():
                # Its key's version was retired, or nearly so.
                raise WireError(IdaError.PUBLICKEY_EXPIRED) from None
            raise WireError(IdaError.INVALID_ENCRYPTION) from None
        if any(len(key) != SESSION_KEY_BYTES for key in opened):
            raise WireError(IdaError.INVALID_ENCRYPTION)
        return opened

    async def _find(self, reference_id: str, thumbprint: bytes) -> EnvelopeCertificate | None:
        known = self._known.get((reference_id, thumbprint))
        if known is None and self._clock.monotonic() - self._loaded_at_s > _RELOAD_S:
            # Another instance may have made one; strangers do not make us ask each time.
            await self._load()
            known = self._known.get((reference_id, thumbprint))
        return known

    def _of(self, reference_id: str) -> list[EnvelopeCertificate]:
        return [one for one in self._known.values() if one.reference_id == reference_id]

    async def _load(self) -> None:
        async with self._loading:
            kept = await self._certificates.list()
            self._known = {(one.reference_id, one.thumbprint): one for one in kept}
            self._loaded_at_s = self._clock.monotonic()
