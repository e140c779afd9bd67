"""Keys of objects: plain relative paths, the same for every kind of store."""

from __future__ import annotations

import re

from services.common.errors import InvalidArgument

_PART = re.compile(r"^[A-Za-z0-9_=.-]+$")
_MAX_BYTES = 512


def checked_key(key: str) -> str:
    """Return the key.

    Raises:
        InvalidArgument: OBJECT_KEY_INVALID: empty parts, "." or "..", or characters that some
            store would not keep ("#" marks a write under way in a folder).
    """
    parts = key.split("/")
    plain = all(_PART.match(part) and part not in (".", "..") for part in parts)
    if not plain or len(key) > _MAX_BYTES:
        raise InvalidArgument("OBJECT_KEY_INVALID", "The key is not a plain relative path.")
    return key
