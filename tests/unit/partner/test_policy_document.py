from __future__ import annotations

import json
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.partner.domain import policy_document

GOOD: dict[str, Any] = {
    "authTokenType": "policy",
    "allowedAuthTypes": [
        {"authType": "demo", "mandatory": False},
        {"authType": "bio", "authSubType": "FINGER", "mandatory": False},
    ],
    "allowedKycAttributes": [{"attributeName": "fullName"}],
    "kycLanguages": ["eng"],
}


def test_a_policy_of_mosips_shape_is_taken() -> None:
    policy_document.check(json.dumps(GOOD))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"authTokenType": "sticky"}, "policy.document.authTokenType"),
        ({"extra": 1}, "policy.document"),
        ({"allowedKycAttributes": [{"name": "x"}]}, "policy.document.allowedKycAttributes[0]"),
        (
            {"allowedAuthTypes": [{"authType": "bio", "mandatory": True}]},
            "policy.document.allowedAuthTypes[0]",
        ),
        (
            {"allowedAuthTypes": [{"authType": "demo"}]},
            "policy.document.allowedAuthTypes[0]",
        ),
    ],
)
def test_a_broken_policy_is_refused_at_its_place(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        policy_document.check(json.dumps(GOOD | change))
    assert refused.value.reason == "POLICY_MALFORMED"
    assert refused.value.field == field


def test_a_missing_member_is_refused() -> None:
    without = {name: value for name, value in GOOD.items() if name != "authTokenType"}
    with pytest.raises(InvalidArgument):
        policy_document.check(json.dumps(without))


@pytest.mark.parametrize(
    "text",
    ["{", "[" * 60_000, '{"authTokenType": "random", "authTokenType": "policy"}', "[]", "NaN"],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        policy_document.check(text)
    assert refused.value.field == "policy.document"
