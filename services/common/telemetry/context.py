"""The correlation id: one name for everything that one request causes, in every service."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

CORRELATION_ID: ContextVar[str] = ContextVar("correlation_id", default="")

_ACCEPTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{7,63}")
_HEXADECIMAL = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DIGIT_RUN = re.compile(r"\d{10}")


def correlation_id() -> str:
    """Return the id bound to the present task, empty outside any request."""
    return CORRELATION_ID.get()


@contextmanager
def correlated(identifier: str) -> Iterator[None]:
    """Bind an id to everything done inside; for workers, whose work starts with no call."""
    token = CORRELATION_ID.set(identifier)
    try:
        yield
    finally:
        CORRELATION_ID.reset(token)


def accepted_correlation_id(offered: str | None) -> str:
    """Return the caller's id if it may stand in a log, else a fresh one.

    An id is chosen by strangers: it must be short and plain, and must not be long digits,
    which could be somebody's UIN. UUIDs and 128-bit hexadecimal may have digit runs by chance.
    """
    if offered is None or not _ACCEPTED.fullmatch(offered):
        return secrets.token_hex(16)
    if _HEXADECIMAL.fullmatch(offered) or not _DIGIT_RUN.search(offered):
        return offered
    return secrets.token_hex(16)
