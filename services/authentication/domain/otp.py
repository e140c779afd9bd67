"""One-time passwords: how they are drawn, bound, limited and shown.

Source: mosip/id-authentication, OTPManager, ValidateOtpHelper, MaskUtil.
"""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.authentication.domain.individual import LookupKey
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError

_MASKED_DIGITS = 6
_SHOWN_DIGITS = 4


@dataclass(frozen=True, slots=True)
class OtpRules:
    """Limits; times in seconds.

    Attributes:
        max_failures: wrong tries after which OTPs of a person are frozen for freeze_s.
        max_requests: in flood_window_s, of a person.
    """

    length: int = 6
    ttl_s: int = 180
    max_failures: int = 5
    freeze_s: int = 1800
    max_requests: int = 10
    flood_window_s: int = 60

    @property
    def frozen_error(self) -> WireError:
        """IDA-OTA-013."""
        return WireError(IdaError.OTP_FROZEN, f"{self.freeze_s // 60} minutes", self.max_failures)


@dataclass(frozen=True, slots=True)
class OtpGuard:
    """What a person's OTPs have gone through, over all identifiers and partners."""

    window_started_at: datetime
    failures: int = 0
    frozen_until: datetime | None = None
    requests: int = 0

    def check_not_frozen(self, now: datetime, rules: OtpRules) -> None:
        """Raise IDA-OTA-013 while frozen."""
        if self.frozen_until is not None and now < self.frozen_until:
            raise rules.frozen_error

    def after_failure(self, now: datetime, rules: OtpRules) -> "OtpGuard":
        """Count a wrong try; the one that reaches the limit freezes."""
        thawed = self.frozen_until is not None and now >= self.frozen_until
        failures = 1 if thawed else self.failures + 1
        frozen = now + timedelta(seconds=rules.freeze_s) if failures >= rules.max_failures else None
        return replace(self, failures=failures, frozen_until=frozen)

    def after_success(self) -> "OtpGuard":
        """Forget wrong tries."""
        return replace(self, failures=0, frozen_until=None)

    def after_request(self, now: datetime, rules: OtpRules) -> "OtpGuard":
        """Count a request for an OTP.

        Raises:
            WireError: IDA-OTA-013 while frozen, IDA-OTA-001 for too many.
        """
        self.check_not_frozen(now, rules)
        if now - self.window_started_at >= timedelta(seconds=rules.flood_window_s):
            return replace(self, window_started_at=now, requests=1)
        if self.requests >= rules.max_requests:
            raise WireError(IdaError.OTP_REQUEST_FLOODED)
        return replace(self, requests=self.requests + 1)


@dataclass(frozen=True, slots=True)
class StoredOtp:
    """The last OTP of an identifier; mac as mac_input under ida/transit/otp."""

    individual_key: LookupKey
    identity_id: UUID
    partner_id: str
    transaction_id: str
    mac: bytes = field(repr=False)
    mac_version: int
    generated_at: datetime
    expires_at: datetime
    used: bool = False


def draw_otp(rules: OtpRules) -> str:
    """Return a uniformly random number of rules.length digits."""
    return f"{secrets.randbelow(10**rules.length):0{rules.length}d}"


def mac_input(individual_key: bytes, partner_id: str, transaction_id: str, otp: str) -> bytes:
    """Return what is hashed: the OTP bound to whom, for whom and in which transaction."""
    parts = (individual_key, partner_id.encode(), transaction_id.encode(), otp.encode())
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def check_binding(otp: StoredOtp | None, partner_id: str, transaction_id: str) -> StoredOtp:
    """Return the OTP that a try is about.

    Raises:
        WireError: IDA-OTA-012 when there is none, -011 for another partner, -005 for another
            transaction.
    """
    if otp is None or otp.used:
        raise WireError(IdaError.OTP_REQUEST_REQUIRED)
    if otp.partner_id != partner_id:
        raise WireError(IdaError.PARTNER_ID_MISMATCH)
    if otp.transaction_id != transaction_id:
        raise WireError(IdaError.INVALID_TXN_ID)
    return otp


def mask_phone(phone: str) -> str:
    """Return a telephone number with its first digits as X and at most four shown."""
    hidden = max(min(_MASKED_DIGITS, len(phone)), len(phone) - _SHOWN_DIGITS)
    return "X" * hidden + phone[hidden:]


def mask_email(address: str) -> str:
    """Return an address with two of three characters before the @ as X."""
    local, at, domain = address.rpartition("@")
    masked = "".join(c if i % 3 == 2 else "X" for i, c in enumerate(local))
    return f"{masked}{at}{domain}"
