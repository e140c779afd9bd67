"""Typed look-ups in what a partner sent; each refusal is IDA-MLC-006 or -009 with the path."""

import re
from typing import Any

from services.common.mosip_wire import base64url
from services.common.mosip_wire.crypto import parse_thumbprint
from services.common.mosip_wire.errors import invalid, missing


class Reader:
    """One JSON object of a request.

    Args:
        document: the object.
        path: put before each name in the errors, for instance "request/biometrics/0/".
    """

    def __init__(self, document: dict[str, Any], path: str = "") -> None:
        self.document = document
        self.path = path

    def optional_text(self, name: str, most: int = 1024) -> str | None:
        """Return a string; None where it is absent, null or empty.

        Raises:
            WireError: IDA-MLC-009 for another type, or more than `most` characters.
        """
        value = self.document.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > most:
            raise invalid(self.path + name)
        return value

    def text(self, name: str, most: int = 1024, pattern: re.Pattern[str] | None = None) -> str:
        """Return a string.

        Raises:
            WireError: IDA-MLC-006 where it is absent or empty, IDA-MLC-009 where it does not fit.
        """
        value = self.optional_text(name, most)
        if value is None:
            raise missing(self.path + name)
        if pattern is not None and not pattern.fullmatch(value):
            raise invalid(self.path + name)
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; false where it is absent or null. A text "true" is refused."""
        value = self.document.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise invalid(self.path + name)
        return value

    def base64(self, name: str, most: int = 2 * 1024 * 1024) -> bytes:
        """Return the bytes of a base64 string of at most `most` characters."""
        try:
            return base64url.decode(self.text(name, most))
        except ValueError:
            raise invalid(self.path + name) from None

    def thumbprint(self, name: str = "thumbprint") -> bytes:
        """Return the 32 bytes of a thumbprint, in hex or base64url."""
        try:
            return parse_thumbprint(self.text(name, 128))
        except ValueError:
            raise invalid(self.path + name) from None

    def array(self, name: str, most: int) -> list[Any]:
        """Return an array of at most `most` items; empty where it is absent or null."""
        value = self.document.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            raise invalid(self.path + name)
        return value

    def child(self, name: str) -> "Reader | None":
        """Return the object under name; None where it is absent or null."""
        value = self.document.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise invalid(self.path + name)
        return Reader(value, f"{self.path}{name}/")
