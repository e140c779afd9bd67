"""Base64 in both alphabets, padded or not: MOSIP's clients send every mixture."""

import base64
import binascii

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode(text: str | bytes, *, allow_whitespace: bool = False) -> bytes:
    """Return the bytes that text stands for.

    Args:
        text: standard or URL-safe alphabet, also mixed, with or without padding.
        allow_whitespace: skip blanks and line breaks, as in x5c entries and XML.

    Raises:
        ValueError: a character of no alphabet, or an impossible length. The text is not quoted.
    """
    if isinstance(text, str):
        if not text.isascii():
            raise ValueError("not base64")
        text = text.encode("ascii")
    if allow_whitespace:
        text = b"".join(text.split())
    body = text.translate(_TO_STANDARD).rstrip(b"=")
    if len(text) - len(body) > 2 or len(body) % 4 == 1:
        raise ValueError("not base64")
    try:
        return base64.b64decode(body + b"=" * (-len(body) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def encode(data: bytes) -> str:
    """Return data in the URL-safe alphabet, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
