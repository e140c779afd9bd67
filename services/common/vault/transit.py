"""The transit engine's wire: batches out, one outcome for each item back."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from services.common.errors import InvalidArgument, PlatformError
from services.common.vault.errors import away, forbidden, item_error, unknown_key
from services.common.vault.session import Session
from services.common.vault.types import Mac, Signature

# The server refuses JSON bodies of more than 1,000 strings, names of fields included.
MAX_STRINGS = 900
STRINGS_PER_FIELD = 2
_NOT_A_CIPHERTEXT = "not a ciphertext of the key service"


def split_key(key: str) -> tuple[str, str]:
    """Return mount and name of "core/transit/uin"."""
    mount, _, name = key.rpartition("/")
    assert mount, f"a key is MOUNT/NAME: {key!r}"
    assert name, f"a key is MOUNT/NAME: {key!r}"
    return mount, name


def encode(data: bytes) -> str:
    """Return base64 as the API takes it."""
    return base64.b64encode(data).decode("ascii")


def tagged(version: int, data: bytes) -> str:
    """Return raw bytes as the API's "vault:v1:..."."""
    return f"vault:v{version}:{encode(data)}"


def untagged(text: str) -> tuple[int, str]:
    """Return version and the rest of "vault:v1:..."."""
    head, version, rest = text.split(":", 2)
    if head != "vault" or not version.startswith("v"):
        raise InvalidArgument("CIPHERTEXT_REFUSED", f"This is {_NOT_A_CIPHERTEXT}.")
    return int(version[1:]), rest


def version_of(ciphertext: str) -> int:
    """Return the key version of "vault:v1:...".

    Raises:
        InvalidArgument: CIPHERTEXT_REFUSED, it is none.
    """
    return untagged(checked_ciphertext(ciphertext))[0]


def checked_ciphertext(text: str) -> str:
    """Return a ciphertext that has the API's form.

    Raises:
        InvalidArgument: CIPHERTEXT_REFUSED, it has not.
    """
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] != "vault" or not parts[1][1:].isdigit():
        raise InvalidArgument("CIPHERTEXT_REFUSED", f"This is {_NOT_A_CIPHERTEXT}.")
    return text


def max_items(fields: int) -> int:
    """Return how many items with so many fields fit in a request."""
    return MAX_STRINGS // (fields * STRINGS_PER_FIELD)


async def batch(
    session: Session,
    path: str,
    items: Sequence[Mapping[str, str]],
    options: Mapping[str, Any],
    *,
    timeout_s: float | None = None,
) -> list[Mapping[str, Any] | PlatformError]:
    """Send one request with a batch; return each item's result or error.

    A request with a bad item has status 400 or 500 and the results of all items all the same.
    """
    body = {"batch_input": list(items), **options}
    answer = await session.raw("POST", path, body, timeout_s=timeout_s)
    results = (answer.body.get("data") or {}).get("batch_results")
    if results is not None and len(results) == len(items):
        return [_outcome(result, answer.status) for result in results]
    error: PlatformError
    if answer.status == 403:
        error = forbidden()
    elif answer.status == 404:
        error = unknown_key()
    else:
        error = item_error(answer.errors)
    raise error


def _outcome(result: Mapping[str, Any], status: int) -> Mapping[str, Any] | PlatformError:
    if not result.get("error"):
        return result
    error = item_error(str(result["error"]))
    # What is not known to be the item's fault is the server's when it says so.
    if status >= 500 and error.reason == "VAULT_REQUEST_REFUSED":
        return away(f"status {status}")
    return error


def mac_from(result: Mapping[str, Any]) -> Mac:
    """Return the MAC of one result."""
    version, rest = untagged(result["hmac"])
    return Mac(version, base64.b64decode(rest))


def signature_from(result: Mapping[str, Any], *, jws: bool) -> Signature:
    """Return the signature of one result."""
    version, rest = untagged(result["signature"])
    if jws:
        padded = rest + "=" * (-len(rest) % 4)
        return Signature(version, base64.urlsafe_b64decode(padded))
    return Signature(version, base64.b64decode(rest))


def plaintext_from(result: Mapping[str, Any]) -> bytes:
    """Return the plaintext of one result; an empty one is left out by the server."""
    return base64.b64decode(result.get("plaintext") or "")
