"""Typed look-ups in the JSON files of a packet; each refusal names the path, never the value."""

import math
import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object
from services.common.packet.errors import PacketError

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)


class Fields:
    """One JSON object of a packet, read with checks.

    Args:
        document: the object.
        path: where it stands, for the errors.
        reason: of every PacketError raised here, for instance META_INFO_MALFORMED.
    """

    def __init__(self, document: dict[str, Any], path: str, reason: str) -> None:
        self.document = document
        self._path = path
        self._reason = reason

    @classmethod
    def parse(cls, data: bytes, path: str, reason: str, limits: JsonLimits) -> "Fields":
        """Read a file of one JSON object."""
        try:
            return cls(loads_object(data, limits), path, reason)
        except JsonRefusedError:
            raise PacketError(reason, path) from None

    def refuse(self, key: str) -> NoReturn:
        """Raise for the value under key."""
        raise PacketError(self._reason, f"{self._path}:{key}")

    def text(self, key: str, pattern: re.Pattern[str] | None = None, most: int = 1024) -> str:
        """Return a non-empty string."""
        value = self.document.get(key)
        if not isinstance(value, str) or not value or len(value) > most:
            self.refuse(key)
        if pattern is not None and not pattern.fullmatch(value):
            self.refuse(key)
        return value

    def optional_text(self, key: str, pattern: re.Pattern[str] | None = None) -> str | None:
        """Return a string, or None where it is absent or null."""
        return None if self.document.get(key) is None else self.text(key, pattern)

    def number(self, key: str) -> float:
        """Return a number; also one written as a string, as some clients do."""
        value = self.document.get(key)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(key)
        try:
            number = float(value)
        except OverflowError:
            self.refuse(key)
        if not math.isfinite(number):
            self.refuse(key)
        return number

    def instant(self, key: str) -> datetime:
        """Return an ISO 8601 instant in UTC, to the microsecond."""
        text = self.text(key, _INSTANT)
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            self.refuse(key)

    def object(self, key: str) -> dict[str, Any]:
        """Return an object; empty where it is absent or null."""
        value = self.document.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.refuse(key)
        return value

    def objects(self, key: str) -> "list[Fields]":
        """Return an array of objects; empty where it is absent or null."""
        value = self.document.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(key)
        items = []
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                self.refuse(f"{key}[{index}]")
            items.append(Fields(item, f"{self._path}:{key}[{index}]", self._reason))
        return items


def format_instant(at: datetime) -> str:
    """Return at as packets write it: UTC, milliseconds, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
