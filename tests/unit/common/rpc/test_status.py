from __future__ import annotations

import grpc
import pytest

from services.common.errors import BY_CODE, FieldViolation, Internal, PlatformError, Unavailable
from services.common.rpc.status import DETAILS_METADATA, from_wire, to_wire


@pytest.mark.parametrize("kind", BY_CODE.values(), ids=lambda kind: kind.__name__)
def test_every_error_survives_the_wire(kind: type[PlatformError]) -> None:
    sent = kind(
        "SOME_REASON",
        "It is so.",
        metadata={"a": "b"},
        retry_after_s=1.25,
        violations=[FieldViolation("x.y", "RULE", "is wrong"), FieldViolation("z", "R", "is too")],
    )
    received = from_wire(*to_wire(sent))
    assert type(received) is kind
    assert (received.reason, received.message) == ("SOME_REASON", "It is so.")
    assert (dict(received.metadata), received.retry_after_s) == ({"a": "b"}, 1.25)
    assert received.violations == sent.violations


def test_trailers_stay_small_however_much_is_wrong() -> None:
    violations = [FieldViolation("f" * 5_000, "RULE", "d" * 5_000)] * 500
    sent = Internal("SOME_REASON", "m" * 10_000, violations=violations)
    assert sum(len(key) + len(value) for key, value in to_wire(sent).trailing_metadata) < 12_000


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "UPSTREAM_UNAVAILABLE"),
        (grpc.StatusCode.CANCELLED, "UNAVAILABLE", "UPSTREAM_CANCELLED"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
        (grpc.StatusCode.UNKNOWN, "INTERNAL", "UPSTREAM_FAILED"),
        (grpc.StatusCode.DATA_LOSS, "INTERNAL", "UPSTREAM_FAILED"),
        (grpc.StatusCode.OUT_OF_RANGE, "INVALID_ARGUMENT", "UPSTREAM_FAILED"),
        (grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", "METHOD_UNKNOWN"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", "UPSTREAM_FAILED"),
    ],
)
def test_a_status_without_our_details_keeps_its_code_and_loses_its_text(
    code: grpc.StatusCode, kind: str, reason: str
) -> None:
    error = from_wire(code, "some private text", ((DETAILS_METADATA, b"\xff\xff"),))
    assert (error.code, error.reason) == (kind, reason)
    assert "private" not in str(error)


@pytest.mark.parametrize(
    ("wait", "pushback"), [(0.2, "200"), (1.0, "1000"), (2.0, "-1"), (None, None)]
)
def test_the_channel_waits_short_delays_only(wait: float | None, pushback: str | None) -> None:
    trailing = dict(to_wire(Unavailable("AWAY", "x", retry_after_s=wait)).trailing_metadata)
    assert trailing.get("grpc-retry-pushback-ms") == pushback
