from __future__ import annotations

import base64
import json
import time

import pytest

from services.common import rpc
from services.common.rpc.call import Call, enter, roles_from_metadata, service_from_spiffe


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


def _encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    ("value", "roles"),
    [
        (None, set()),
        ("", set()),
        ("OFFICER", {"OFFICER"}),
        ("OFFICER, ADMIN,", {"OFFICER", "ADMIN"}),
        ("role", {"role"}),  # also happens to be base64
        (_encoded(["OFFICER", "ADMIN"]), {"OFFICER", "ADMIN"}),
        (_encoded(["OFFICER", 1, None, ""]), {"OFFICER"}),
        (_encoded({"OFFICER": 1}), set()),
    ],
)
def test_roles_are_a_list_in_either_form(value: str | None, roles: set[str]) -> None:
    assert roles_from_metadata(value) == roles


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
