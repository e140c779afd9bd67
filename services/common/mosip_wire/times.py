"""Instants as MOSIP writes them, and the window in which a request is accepted."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError

_SECONDS = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
_ZONE = r"(Z|[+-][0-9]{2}:[0-9]{2})"
_REQUEST = re.compile(rf"{_SECONDS}\.[0-9]{{3}}{_ZONE}")
_BIOMETRIC = re.compile(rf"{_SECONDS}(\.[0-9]{{3}})?{_ZONE}")


def parse_request_time(text: str) -> datetime:
    """Read `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`; return the instant in UTC.

    Raises:
        ValueError: another form, or no such instant.
    """
    return _parse(text, _REQUEST)


def parse_biometric_time(text: str) -> datetime:
    """Read the same with or without milliseconds, as capture devices write it.

    Raises:
        ValueError: another form, or no such instant.
    """
    return _parse(text, _BIOMETRIC)


def _parse(text: str, form: re.Pattern[str]) -> datetime:
    if not form.fullmatch(text):
        raise ValueError("not a timestamp of MOSIP's form")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError:
        raise ValueError("not an instant") from None


def format_time(at: datetime) -> str:
    """Return at in UTC with milliseconds and Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """[now - allowed - adjustment, now + adjustment].

    Attributes:
        allowed_s: how old a request may be, in seconds.
        adjustment_s: how far clocks may be apart, in seconds.
    """

    allowed_s: int = 30
    adjustment_s: int = 30

    def check(self, at: datetime, now: datetime, attribute: str | None = None) -> None:
        """Refuse an instant outside the window; both aware.

        Raises:
            WireError: IDA-MLC-001.
        """
        earliest = now - timedelta(seconds=self.allowed_s + self.adjustment_s)
        latest = now + timedelta(seconds=self.adjustment_s)
        if not earliest <= at <= latest:
            raise WireError(IdaError.INVALID_TIMESTAMP, self.allowed_s, attribute=attribute)
