"""A partner's request as it came, and the answer as it goes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.mosip_wire.requests import AUTH_ID, KYC_ID, OTP_ID
from services.gateway.domain.directory import Policy


class Endpoint(Enum):
    """Which of MOSIP's APIs was called; the value is the request's `id`."""

    AUTH = AUTH_ID
    KYC = KYC_ID
    OTP = OTP_ID


@dataclass(frozen=True, slots=True)
class PartnerRequest:
    """Exact bytes and headers; licence_key and api_key are secrets out of the path."""

    endpoint: Endpoint
    licence_key: str = field(repr=False)
    partner_id: str
    api_key: str = field(repr=False)
    body: bytes = field(repr=False)
    signature: str | None = field(repr=False)
    authorization: str | None = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request whose sender is proven; certificate is the signer's, X.509 DER."""

    request: PartnerRequest
    misp_id: str
    policy_id: str
    api_key_id: str
    certificate: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The exact bytes to send and the detached JWS over them."""

    body: bytes = field(repr=False)
    signature: str = field(repr=False)


def check_endpoint(policy: Policy, endpoint: Endpoint) -> None:
    """Refuse an API that the policy does not allow; factors are authentication's to check.

    Raises:
        WireError: IDA-MPA-005, IDA-MPA-013.
    """
    if endpoint is Endpoint.OTP and "otp-request" not in policy.allowed:
        raise WireError(IdaError.OTPREQUEST_NOT_ALLOWED)
    if endpoint is Endpoint.KYC and "kyc" not in policy.allowed:
        raise WireError(IdaError.UNAUTHORISED_PARTNER)
