"""What must not reach a log, taken out by key and by shape.

The second line of defence: the first is not to log it. Whatever is not plainly harmless is
replaced by its type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from uuid import UUID

REDACTED = "[redacted]"
MAX_TEXT = 2_000
MAX_ITEMS = 50
MAX_DEPTH = 6

# A key is refused if one of its words is one of these ...
_WORDS = frozenset({
    "uin", "vid", "uins", "vids", "otp", "template", "templates", "licence", "license",
    "password", "passphrase", "secret", "token", "psut", "probe", "bdb", "bir", "phone",
    "email", "dob", "credential", "authorization", "cookie",
})  # fmt: skip
# ... or if it is one of these as a whole.
_KEYS = frozenset({
    "name", "full_name", "first_name", "middle_name", "last_name", "given_name",
    "family_name", "surname", "api_key", "private_key", "data_key", "session_key",
    "individual_id", "handle", "date_of_birth",
})  # fmt: skip
_HARMLESS = frozenset({"fencing_token", "token_type"})
# Made by us or checked on entry, and useless when cut.
_VERBATIM = frozenset({"correlation_id", "trace_id", "span_id", "timestamp", "level", "component"})

_SHAPES = re.compile(
    r"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"  # a signed token
    r"|\b(?:hvs|hvb|hvr)\.[\w-]+|\bs\.[A-Za-z0-9]{24,}"  # a Vault token
    r"|(?<![A-Za-z0-9])[A-Za-z0-9]{50}(?![A-Za-z0-9])"  # a licence key
    r"|(?<!\d)\d{36}(?!\d)"  # a PSUT
    r"|(?<!\d)\d{10,16}(?!\d)"  # a UIN or VID
    r"|(?<!\d)\d{4}(?:[ -]\d{4}){2,3}(?!\d)"  # the same, grouped
)


def redact(entry: Mapping[str, object]) -> dict[str, object]:
    """Return a log entry that holds only what may be kept."""
    return {
        key: value if key in _VERBATIM else REDACTED if _refused(key) else _harmless(value, 0)
        for key, value in entry.items()
    }


def scrub(text: str) -> str:
    """Return text without what looks like an identifier, a licence key or a token."""
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + "..."
    return _SHAPES.sub(REDACTED, text)


@lru_cache(maxsize=4096)
def _refused(key: str) -> bool:
    folded = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+", "_", key).lower()
    if folded in _HARMLESS:
        return False
    return folded in _KEYS or not _WORDS.isdisjoint(folded.split("_"))


def _harmless(value: object, depth: int) -> object:  # noqa: PLR0911 - one return for each kind
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, int):
        return REDACTED if len(str(abs(value))) >= 10 else value
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, PurePath):
        return scrub(str(value))
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {
            str(key): REDACTED if _refused(str(key)) else _harmless(inner, depth + 1)
            for key, inner in list(value.items())[:MAX_ITEMS]
        }
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_harmless(inner, depth + 1) for inner in list(value)[:MAX_ITEMS]]
    return f"<{type(value).__name__}>"
