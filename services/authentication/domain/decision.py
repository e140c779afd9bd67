"""What is written down of a decided request."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.authentication.domain.individual import LookupKey
from services.authentication.domain.otp import StoredOtp
from services.authentication.domain.partner import Endpoint, VerifiedPartner


@dataclass(frozen=True, slots=True)
class ReplayKey:
    """Names one request: it is accepted once. Forgotten when its time window is over."""

    partner_id: str
    transaction_id: str
    body_hash: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DecidedTransaction:
    """One decided request, kept with both signatures for non-repudiation.

    Attributes:
        factors: MOSIP's names: OTP-REQUEST, OTP-AUTH, DEMO-AUTH, FINGERPRINT-AUTH, EKYC-AUTH...
        identity_id: None where nobody was found.
        requested_at: as the request says; None where it could not be read.
    """

    auth_transaction_id: UUID
    partner: VerifiedPartner
    endpoint: Endpoint
    transaction_id: str | None
    factors: tuple[str, ...]
    succeeded: bool
    error_codes: tuple[str, ...]
    identity_id: UUID | None
    requested_at: datetime | None
    responded_at: datetime
    body_hash: bytes
    request_signature: str = field(repr=False)
    response_signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Effects:
    """What a successful authentication uses up, in the commit of its transaction row."""

    vid: LookupKey | None = None
    otp: StoredOtp | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to be used up."""
        return self.vid is not None or self.otp is not None
