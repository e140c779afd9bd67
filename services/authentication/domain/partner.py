"""Who asks, and in which call."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from services.common.mosip_wire.requests import AUTH_ID, KYC_ID, OTP_ID


class Endpoint(Enum):
    """Which of MOSIP's APIs was called; the value is the request's `id`."""

    AUTH = AUTH_ID
    KYC = KYC_ID
    OTP = OTP_ID


@dataclass(frozen=True, slots=True)
class VerifiedPartner:
    """A partner as the gateway verified it; certificate is the signer's, X.509 DER."""

    partner_id: str
    misp_id: str
    policy_id: str
    api_key_id: str
    certificate: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PartnerCall:
    """One request of a partner: the exact bytes that it signed, and the detached JWS."""

    partner: VerifiedPartner
    endpoint: Endpoint
    body: bytes = field(repr=False)
    signature: str = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """The exact bytes to send and the detached JWS over them."""

    body: bytes = field(repr=False)
    signature: str = field(repr=False)
