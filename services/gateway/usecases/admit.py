"""Whether a request is let through: who asks, under which policy, and whether they signed it."""

from datetime import datetime, timedelta

from cryptography import x509

from services.common import telemetry
from services.common.certificate_path import CertificateUntrustedError, find_path
from services.common.clock import Clock
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, invalid, missing
from services.common.mosip_wire.jws import Jws
from services.common.mosip_wire.signature import (
    parse_request_signature,
    verify_request_signature,
)
from services.common.revocation import Name, names_of
from services.gateway.domain.directory import Directory, Partner
from services.gateway.domain.request import PartnerRequest, VerifiedRequest, check_endpoint
from services.gateway.usecases.key_hashes import KeyHashes

_PATH_LIFE = timedelta(minutes=5)
_MAX_PATHS = 4096
_LOG = telemetry.get_logger(__name__)


class Admit:
    """Cheap checks first: no RSA work for strangers."""

    def __init__(
        self, directory: Directory, keys: KeyHashes, clock: Clock, *, max_body_bytes: int
    ) -> None:
        self._directory = directory
        self._keys = keys
        self._clock = clock
        self._max_body_bytes = max_body_bytes
        # Certificates whose path was found, among which authorities, and until when it is good.
        self._paths: dict[tuple[bytes, int], tuple[datetime, x509.Certificate, list[Name]]] = {}

    async def __call__(self, request: PartnerRequest) -> VerifiedRequest:
        """Return the request with its sender proven.

        Raises:
            WireError: IDA-MPA-038; those of Directory.admit; IDA-MLC-009 for a body too large;
                IDA-MLC-006, IDA-MPA-022, -021, -001 for the signature; IDA-MLC-006 for
                Authorization; IDA-MPA-005, -013 for the endpoint.
            Unavailable: Vault is away and a key is not remembered.
        """
        if not (request.licence_key and request.partner_id and request.api_key):
            raise WireError(IdaError.URI_PATH_PARAMS_MISSING)
        licence, api_key = await self._keys.both(request.licence_key, request.api_key)
        now = self._clock.now()
        admission = self._directory.admit(licence, request.partner_id, api_key, now)
        if len(request.body) > self._max_body_bytes:
            raise invalid("request")
        jws = parse_request_signature(request.signature)
        self._check_signature(jws, request.body, admission.partner, now)
        if not (request.authorization or "").strip():
            raise missing("Authorization")
        check_endpoint(admission.policy, request.endpoint)
        return VerifiedRequest(
            request=request,
            misp_id=admission.misp_id,
            policy_id=admission.policy.policy_id,
            api_key_id=admission.api_key_id,
            certificate=jws.certificates[0],
        )

    def _check_signature(self, jws: Jws, body: bytes, partner: Partner, now: datetime) -> None:
        header = jws.certificates[0]
        if not partner.holds(header, now):
            raise WireError(IdaError.PARTNER_CERTIFICATE_NOT_MATCHED)
        try:
            certificate = self._trusted(header, now)
        except CertificateUntrustedError as error:
            # MOSIP has one code for all of them.
            _LOG.info("certificate_refused", partner_id=partner.partner_id, reason=error.reason)
            raise WireError(IdaError.SIGNATURE_FAILED, "signature header") from None
        verify_request_signature(jws, body, certificate)

    def _trusted(self, der: bytes, now: datetime) -> x509.Certificate:
        """Return a registered certificate that is valid now and leads to an authority.

        Raises:
            CertificateUntrustedError: it is not, or does not, or the path is revoked.
        """
        key = (der, self._directory.generation)
        found = self._paths.get(key)
        if found is None or now >= found[0]:
            found = self._paths[key] = self._path(der, now)
        # The path is remembered; whether it is revoked is looked up each time.
        refusal = self._directory.revocations.refuse(found[2], now)
        if refusal is not None:
            raise CertificateUntrustedError(refusal)
        return found[1]

    def _path(self, der: bytes, now: datetime) -> tuple[datetime, x509.Certificate, list[Name]]:
        certificate = x509.load_der_x509_certificate(der)
        path = find_path(certificate, trusted=list(self._directory.authorities.values()), at=now)
        if len(self._paths) >= _MAX_PATHS:
            self._paths.clear()
        ends = min(one.not_valid_after_utc for one in path)
        return min(ends, now + _PATH_LIFE), certificate, names_of(path)
