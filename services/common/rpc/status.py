"""PlatformError to gRPC's rich status and back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from services.common.errors import (
    BY_CODE,
    DeadlineExceeded,
    FieldViolation,
    Internal,
    InvalidArgument,
    PlatformError,
    Unavailable,
)

DOMAIN = "idmesh"
DETAILS_METADATA = "grpc-status-details-bin"
PUSHBACK_METADATA = "grpc-retry-pushback-ms"
# A longer wait than this is the caller's to decide on, not the channel's to sit through.
MAX_PUSHBACK_S = 1.0
# Trailers share one header block with a limit of 8 KiB on most ways.
MAX_VIOLATIONS = 16
MAX_TEXT = 300

_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")


class WireStatus(NamedTuple):
    """What ends a call that fails."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def to_wire(error: PlatformError) -> WireStatus:
    """Return the status that carries error."""
    status = to_status(error)
    trailing: list[tuple[str, str | bytes]] = []
    if error.retry_after_s is not None:
        wait = error.retry_after_s
        pushback = str(int(wait * 1_000)) if wait <= MAX_PUSHBACK_S else "-1"
        trailing.append((PUSHBACK_METADATA, pushback))
    trailing.append((DETAILS_METADATA, status.SerializeToString()))
    return WireStatus(grpc.StatusCode[error.code], status.message, tuple(trailing))


def to_status(error: PlatformError) -> status_pb2.Status:
    """Return error as the message that travels beside a gRPC code."""
    code = grpc.StatusCode[error.code]
    status = status_pb2.Status(code=code.value[0], message=error.message[:MAX_TEXT])
    told = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata)
    )
    status.details.add().Pack(told)
    if error.violations:
        request = error_details_pb2.BadRequest()
        for violation in error.violations[:MAX_VIOLATIONS]:
            request.field_violations.add(
                field=violation.field[:MAX_TEXT],
                reason=violation.reason,
                description=violation.description[:MAX_TEXT],
            )
        status.details.add().Pack(request)
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        status.details.add().Pack(retry)
    return status


def from_wire(
    code: grpc.StatusCode,
    message: str | None,
    trailing_metadata: Iterable[tuple[str, str | bytes]] | None,
) -> PlatformError:
    """Return the error that a peer's status carries, of the class it had there.

    A status of no idmesh service, the channel's own included, gives the class of its code
    and a reason of this layer; its text is not passed on.
    """
    for key, value in trailing_metadata or ():
        if key == DETAILS_METADATA and isinstance(value, bytes):
            carried = _from_details(code, message or "", value)
            if carried is not None:
                return carried
    return _without_details(code)


def from_rpc_error(error: grpc.aio.AioRpcError) -> PlatformError:
    """Return the error that a failed call carries; see from_wire()."""
    return from_wire(error.code(), error.details(), error.trailing_metadata())


def _from_details(code: grpc.StatusCode, message: str, raw: bytes) -> PlatformError | None:
    kind = BY_CODE.get(code.name)
    try:
        status = status_pb2.Status.FromString(raw)
    except DecodeError:
        return None
    told = error_details_pb2.ErrorInfo()
    request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        for known in (told, request, retry):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    if kind is None or told.domain != DOMAIN or not _REASON.fullmatch(told.reason):
        return None
    wait = retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None
    return kind(
        told.reason,
        message,
        metadata=dict(told.metadata),
        retry_after_s=wait,
        violations=[
            FieldViolation(violation.field, violation.reason, violation.description)
            for violation in request.field_violations
        ],
    )


def _without_details(code: grpc.StatusCode) -> PlatformError:
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return Unavailable("UPSTREAM_UNAVAILABLE", "A service that is needed is away.")
        case grpc.StatusCode.CANCELLED:
            return Unavailable("UPSTREAM_CANCELLED", "A service that is needed gave up the call.")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded("DEADLINE_EXCEEDED", "Time ran out.")
        case grpc.StatusCode.OUT_OF_RANGE:
            return InvalidArgument("UPSTREAM_FAILED", "A service refused the request.")
        case grpc.StatusCode.UNIMPLEMENTED:
            return BY_CODE[code.name]("METHOD_UNKNOWN", "The service does not offer this method.")
    kind = BY_CODE.get(code.name, Internal)
    return kind("UPSTREAM_FAILED", "A service that is needed failed the call.")
