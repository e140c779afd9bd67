from __future__ import annotations

import time

import pytest

from services.common import rpc
from services.common.rpc.call import Call, bearer_token, enter, service_from_spiffe


def a_call(deadline: float | None = None) -> Call:
    return Call("alpha", "id", deadline, None, frozenset(), "/x.Y/Z")


@pytest.mark.parametrize(
    ("identities", "service"),
    [
        ([b"spiffe://idmesh.local/identity"], "identity"),
        ([b"spiffe://other.example/identity"], None),
        ([b"spiffe://idmesh.local/a/b"], None),
        ([b"spiffe://idmesh.local/"], None),
        ([b"spiffe://idmesh.local.evil/identity"], None),
        ([], None),
        ([b"spiffe://idmesh.local/a", b"spiffe://idmesh.local/b"], None),
        ([b"\xff"], None),
    ],
)
def test_a_service_is_named_by_exactly_one_spiffe_id(
    identities: list[bytes], service: str | None
) -> None:
    assert service_from_spiffe(identities, "idmesh.local") == service


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer  ", None),
        ("Basic abc", None),
        ("Bearer a.b.c", "a.b.c"),
        ("bearer a.b.c ", "a.b.c"),
    ],
)
def test_a_token_is_what_follows_bearer(header: str | None, token: str | None) -> None:
    assert bearer_token(header) == token


def test_what_is_left_of_a_deadline_is_never_negative() -> None:
    assert a_call(time.monotonic() - 5).remaining_s() == 0.0
    assert a_call().remaining_s() is None
    left = a_call(time.monotonic() + 5).remaining_s()
    assert left is not None
    assert 4.0 < left <= 5.0


async def test_the_call_is_known_inside_and_can_be_left() -> None:
    assert rpc.call_or_none() is None
    with pytest.raises(LookupError):
        rpc.current_call()
    enter(a_call())
    assert rpc.current_call().caller == "alpha"
    with rpc.detached():
        assert rpc.call_or_none() is None
    assert rpc.current_call().caller == "alpha"
