"""What a caller can cause: one type, with one subclass per gRPC code.

Pure on purpose: domain, ports and use cases raise these without importing gRPC. The
interceptors in common.rpc carry them over the wire and back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")


@dataclass(frozen=True)
class FieldViolation:
    """One thing that is wrong with a request: where, which rule, in words. Never the value."""

    field: str
    reason: str
    description: str


class PlatformError(Exception):
    """An error that a caller can cause or must handle.

    Everything in it reaches the caller and the logs: no UIN, VID, template or key belongs here.

    Args:
        reason: UPPER_SNAKE, stable; what callers decide on.
        message: one sentence for a human.
        metadata: what a program may want to know beside the reason.
        field: path of the request's field that is at fault, as in `probe.template`.
        retry_after_s: how long to wait before the same call can succeed, in seconds.
        violations: several faults of one request; `field` alone is short for one.
    """

    code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        field: str | None = None,
        retry_after_s: float | None = None,
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        assert _REASON.fullmatch(reason), f"a reason is UPPER_SNAKE, got {reason!r}"
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = MappingProxyType(dict(metadata or {}))
        self.retry_after_s = retry_after_s
        if field is not None and not violations:
            violations = (FieldViolation(field, reason, message),)
        self.violations = tuple(violations)
        self.field = field if field is not None else next((v.field for v in violations), None)


class InvalidArgument(PlatformError):
    """The request is wrong whatever the state of the system."""

    code = "INVALID_ARGUMENT"


class FailedPrecondition(PlatformError):
    """The state of the system does not allow it; the same call fails until that changes."""

    code = "FAILED_PRECONDITION"


class Unauthenticated(PlatformError):
    """The caller has not proven who it is."""

    code = "UNAUTHENTICATED"


class PermissionDenied(PlatformError):
    """The caller is known and may not do this."""

    code = "PERMISSION_DENIED"


class NotFound(PlatformError):
    """The thing that the request names does not exist."""

    code = "NOT_FOUND"


class AlreadyExists(PlatformError):
    """The thing that the request would make exists."""

    code = "ALREADY_EXISTS"


class Aborted(PlatformError):
    """Somebody else was quicker: read again, then try again."""

    code = "ABORTED"


class ResourceExhausted(PlatformError):
    """A limit or a quota is reached."""

    code = "RESOURCE_EXHAUSTED"


class Unavailable(PlatformError):
    """Something that is needed is away for a while; the same call can succeed later."""

    code = "UNAVAILABLE"


class DeadlineExceeded(PlatformError):
    """Time ran out; whether the call took effect is not known."""

    code = "DEADLINE_EXCEEDED"


class Internal(PlatformError):
    """A bug or a broken invariant; details are in the log under the correlation id."""

    code = "INTERNAL"


class Unimplemented(PlatformError):
    """This service does not offer it."""

    code = "UNIMPLEMENTED"


BY_CODE: Mapping[str, type[PlatformError]] = MappingProxyType(
    {
        kind.code: kind
        for kind in (
            InvalidArgument,
            FailedPrecondition,
            Unauthenticated,
            PermissionDenied,
            NotFound,
            AlreadyExists,
            Aborted,
            ResourceExhausted,
            Unavailable,
            DeadlineExceeded,
            Internal,
            Unimplemented,
        )
    }
)
