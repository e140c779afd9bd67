"""Who is calling, under which correlation id, for how much longer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

CORRELATION_METADATA = "x-correlation-id"
AUTHORIZATION_METADATA = "authorization"
EDGE = "envoy"


@dataclass(frozen=True, slots=True)
class Call:
    """The RPC being served.

    Args:
        caller: the calling service, the last segment of its SPIFFE id.
        deadline: when to give up, on time.monotonic(); None for a stream without end.
        operator: whoever the call's token proves; only of calls through the edge.
        roles: that operator's roles.
        method: the full method, `/package.Service/Method`.
    """

    caller: str
    correlation_id: str
    deadline: float | None
    operator: str | None
    roles: frozenset[str]
    method: str

    def remaining_s(self) -> float | None:
        """Return the seconds left, at least zero; None when there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


_CURRENT: ContextVar[Call | None] = ContextVar("call", default=None)


def current_call() -> Call:
    """Return the RPC being served.

    Raises:
        LookupError: none is.
    """
    call = _CURRENT.get()
    if call is None:
        raise LookupError("no RPC is being served here")
    return call


def call_or_none() -> Call | None:
    """Return the RPC being served, None outside any."""
    return _CURRENT.get()


def enter(call: Call) -> None:
    """Make call the present one for the rest of this task, which serves it alone."""
    _CURRENT.set(call)


@contextmanager
def detached() -> Iterator[None]:
    """Leave the call: tasks made inside do not inherit its deadline. For work that outlives it."""
    token = _CURRENT.set(None)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def service_from_spiffe(identities: Iterable[bytes], trust_domain: str) -> str | None:
    """Return the service that a certificate's SPIFFE id names, None unless it is one of ours."""
    found = [identity.decode("utf-8", "replace") for identity in identities]
    prefix = f"spiffe://{trust_domain}/"
    if len(found) != 1 or not found[0].startswith(prefix):
        return None
    service = found[0].removeprefix(prefix)
    return service if service and "/" not in service else None


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an Authorization header (RFC 6750), None if it has none."""
    kind, _, token = (authorization or "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None
