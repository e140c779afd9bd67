"""Who is calling, under which correlation id, for how much longer."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

CORRELATION_METADATA = "x-correlation-id"
OPERATOR_METADATA = "x-idmesh-operator"
ROLES_METADATA = "x-idmesh-roles"
EDGE = "envoy"


@dataclass(frozen=True, slots=True)
class Call:
    """The RPC being served.

    Args:
        caller: the calling service, the last segment of its SPIFFE id.
        deadline: when to give up, on time.monotonic(); None for a stream without end.
        operator: the human behind the call, as the edge proved; None from anybody else.
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


def roles_from_metadata(value: str | None) -> frozenset[str]:
    """Return the roles that the edge sends: a comma list, or a JSON list in base64.

    The second is what Envoy makes of a claim that is a list. What is neither gives no role.
    """
    if not value:
        return frozenset()
    try:
        padded = value + "=" * (-len(value) % 4)
        decoded = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        decoded = [part.strip() for part in value.split(",")]
    if not isinstance(decoded, list):
        return frozenset()
    return frozenset(role for role in decoded if isinstance(role, str) and role)
