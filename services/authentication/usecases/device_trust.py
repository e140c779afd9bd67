"""Whether a device or its chip may be believed: signature and certificate path."""

import hashlib
from datetime import datetime, timedelta

from cryptography import x509

from services.authentication.ports import Partners, TrustDomain
from services.common import telemetry
from services.common.certificate_path import CertificateUntrustedError, find_path
from services.common.clock import Clock
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.jws import JwsError, parse_compact, verify
from services.common.revocation import Name, names_of

# So long an added or removed authority, or a revocation, may go unnoticed.
_ANCHORS_S = 0.5
_MAX_PATHS = 4096
_PATH_LIFE = timedelta(minutes=5)
_LOG = telemetry.get_logger(__name__)
# The generation of the anchors, and the chain as it came.
_PathKey = tuple[bytes, tuple[bytes, ...]]


class DeviceTrust:
    """Verifies compact JWS against the trust anchors of a domain.

    A path that was found is remembered for minutes, as long as the anchors stay the same.
    """

    def __init__(self, partners: Partners, clock: Clock) -> None:
        self._partners = partners
        self._clock = clock
        self._anchors: dict[TrustDomain, tuple[float, bytes, list[x509.Certificate]]] = {}
        self._paths: dict[_PathKey, tuple[datetime, list[Name]]] = {}
        self._refusals: dict[_PathKey, tuple[float, str | None]] = {}

    async def payload(self, compact: str, domain: TrustDomain, path: str) -> bytes:
        """Return what was signed.

        Args:
            path: of the field, for the error.

        Raises:
            WireError: IDA-MPA-001 with the path: malformed, unsigned or untrusted.
        """
        try:
            jws = parse_compact(compact)
            leaf = jws.certificate()
            verify(jws, leaf.public_key())
            await self._check_trusted(leaf, jws.certificates, domain)
        except (JwsError, CertificateUntrustedError, ValueError) as error:
            reason = error.reason if isinstance(error, CertificateUntrustedError) else "MALFORMED"
            _LOG.info("device_refused", domain=domain.name, reason=reason)
            raise WireError(IdaError.SIGNATURE_FAILED, path) from None
        assert jws.payload is not None
        return jws.payload

    async def _check_trusted(
        self, leaf: x509.Certificate, chain: tuple[bytes, ...], domain: TrustDomain
    ) -> None:
        generation, anchors = await self._trusted(domain)
        now = self._clock.now()
        key = (generation, chain)
        known = self._paths.get(key)
        if known is None or now >= known[0]:
            known = self._path(leaf, chain, anchors, now)
            if len(self._paths) >= _MAX_PATHS:
                self._paths.clear()
            self._paths[key] = known
        # The path is remembered for long; whether it is revoked for a moment only.
        refusal = await self._refusal(key, known[1], now)
        if refusal is not None:
            raise CertificateUntrustedError(refusal)

    async def _refusal(self, key: _PathKey, names: list[Name], now: datetime) -> str | None:
        now_s = self._clock.monotonic()
        kept = self._refusals.get(key)
        if kept is not None and now_s - kept[0] < _ANCHORS_S:
            return kept[1]
        refusal = await self._partners.refusal(names, now)
        if len(self._refusals) >= _MAX_PATHS:
            self._refusals.clear()
        self._refusals[key] = (now_s, refusal)
        return refusal

    @staticmethod
    def _path(
        leaf: x509.Certificate,
        chain: tuple[bytes, ...],
        anchors: list[x509.Certificate],
        now: datetime,
    ) -> tuple[datetime, list[Name]]:
        offered = [x509.load_der_x509_certificate(der) for der in chain[1:]]
        found = find_path(leaf, trusted=anchors, offered=offered, at=now)
        ends = min(certificate.not_valid_after_utc for certificate in found)
        return min(ends, now + _PATH_LIFE), names_of(found)

    async def _trusted(self, domain: TrustDomain) -> tuple[bytes, list[x509.Certificate]]:
        """Return the anchors and a digest that changes with them."""
        now_s = self._clock.monotonic()
        kept = self._anchors.get(domain)
        if kept is not None and now_s - kept[0] < _ANCHORS_S:
            return kept[1], kept[2]
        ders = await self._partners.trust_anchors(domain)
        generation = hashlib.sha256(domain.name.encode() + b"".join(sorted(ders))).digest()
        if kept is not None and kept[1] == generation:
            anchors = kept[2]
        else:
            anchors = [x509.load_der_x509_certificate(der) for der in ders]
        self._anchors[domain] = (now_s, generation, anchors)
        return generation, anchors
