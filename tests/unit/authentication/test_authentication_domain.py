from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.authentication.domain import biometrics, kyc, otp, policy, token
from services.authentication.domain.individual import (
    IdentityState,
    Individual,
    LookupKey,
    Modality,
    Person,
    ReferenceTemplate,
    VidState,
    VidUse,
    age_years,
    check_age,
    check_usable,
    single_text,
)
from services.authentication.domain.partner import VerifiedPartner
from services.authentication.domain.policy import Factor
from services.common.mosip_wire import WireError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RULES = otp.OtpRules()
PERSON = Person(
    {
        "fullName": [
            {"language": "eng", "value": "Anna Berg"},
            {"language": "fra", "value": "Anne Mont"},
        ],
        "dateOfBirth": "1990/05/17",
        "phone": "5550123456",
        "addressLine1": [{"language": "eng", "value": "1 Main"}],
        "city": [{"language": "eng", "value": "Oslo"}],
        "postalCode": "14022",
    },
    (),
)


def a_policy(*allowed: dict[str, Any], **more: Any) -> policy.AuthPolicy:
    document = {"authTokenType": "random", "allowedKycAttributes": [], "allowedAuthTypes": allowed}
    return policy.parse_policy(json.dumps(document | more))


def an_individual(**changes: Any) -> Individual:
    values: dict[str, Any] = {
        "identity_id": uuid4(),
        "version": 1,
        "sealed": b"",
        "wrapped_key": "",
        "state": IdentityState.ACTIVATED,
        "vid": None,
    }
    return Individual(**(values | changes))


def a_vid(**changes: Any) -> VidUse:
    values: dict[str, Any] = {
        "key": LookupKey(b"k", 1),
        "state": VidState.ACTIVE,
        "expires_at": None,
        "transactions_left": None,
    }
    return VidUse(**(values | changes))


def code_of(refused: pytest.ExceptionInfo[WireError]) -> str:
    return refused.value.code


@pytest.mark.parametrize(
    ("factor", "kyc_call", "code"),
    [
        (Factor("demo"), False, None),
        (Factor("bio", "FINGER"), False, None),
        (Factor("bio", "IRIS"), False, "IDA-MPA-006"),
        (Factor("otp"), False, "IDA-MPA-006"),
        (Factor("pwd"), False, "IDA-MLC-011"),
        (Factor("kbt"), True, "IDA-MLC-011"),
    ],
)
def test_only_factors_of_the_policy_are_taken(
    factor: Factor, kyc_call: bool, code: str | None
) -> None:
    allowed = a_policy({"authType": "demo"}, {"authType": "bio", "authSubType": "Finger"})
    if code is None:
        policy.check_factors(allowed, [factor], kyc=kyc_call)
        return
    with pytest.raises(WireError) as refused:
        policy.check_factors(allowed, [factor], kyc=kyc_call)
    assert code_of(refused) == code


def test_mandatory_factors_must_be_there_and_mandatory_kyc_means_only_kyc() -> None:
    both = a_policy(
        {"authType": "demo", "mandatory": False},
        {"authType": "bio", "authSubType": "FINGER", "mandatory": True},
        {"authType": "kyc", "mandatory": True},
        {"authType": "otp-request", "mandatory": True},
    )
    finger = Factor("bio", "FINGER")
    policy.check_factors(both, [finger], kyc=True)
    for factors, kyc_call in (([finger], False), ([Factor("demo")], True)):
        with pytest.raises(WireError) as refused:
            policy.check_factors(both, factors, kyc=kyc_call)
        assert code_of(refused) == "IDA-MPA-015"


@pytest.mark.parametrize("document", ["[]", "{}", "null", '{"allowedAuthTypes":[1]}', "x"])
def test_what_is_no_policy_is_a_value_error(document: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        policy.parse_policy(document)


@pytest.mark.parametrize(
    ("individual", "code"),
    [
        (an_individual(), None),
        (an_individual(vid=a_vid(transactions_left=1, expires_at=NOW + timedelta(1))), None),
        (an_individual(state=IdentityState.DRAFT), "IDA-MLC-018"),
        (an_individual(state=IdentityState.DRAFT, vid=a_vid()), "IDA-MLC-018"),
        (an_individual(state=IdentityState.DEACTIVATED), "IDA-MLC-022"),
        (an_individual(state=IdentityState.BLOCKED), "IDA-MLC-022"),
        (an_individual(state=IdentityState.BLOCKED, vid=a_vid()), "IDA-MLC-023"),
        (an_individual(vid=a_vid(state=VidState.REVOKED)), "IDA-MLC-023"),
        (an_individual(vid=a_vid(expires_at=NOW)), "IDA-MLC-023"),
        (an_individual(vid=a_vid(transactions_left=0)), "IDA-MLC-023"),
    ],
)
def test_only_who_is_active_is_authenticated(individual: Individual, code: str | None) -> None:
    if code is None:
        check_usable(individual, NOW)
        return
    with pytest.raises(WireError) as refused:
        check_usable(individual, NOW)
    assert code_of(refused) == code


def test_a_child_is_not_asked_for_otp_or_biometrics() -> None:
    child = Person({"dateOfBirth": "2021/01/03"}, ())
    assert age_years(child, NOW.date()) == 4
    check_age(child, ("demo",), NOW.date(), 5)
    check_age(child, ("otp",), date(2026, 1, 3), 5)
    check_age(Person({}, ()), ("otp",), NOW.date(), 5)
    for factor in ("otp", "bio"):
        with pytest.raises(WireError) as refused:
            check_age(child, (factor,), NOW.date(), 5)
        assert code_of(refused) == "IDA-MLC-011"


def test_a_single_text_is_the_first_of_several() -> None:
    assert single_text(PERSON, "phone") == "5550123456"
    assert single_text(PERSON, "fullName") == "Anna Berg"
    assert single_text(PERSON, "email") is None
    assert single_text(Person({"email": []}, ()), "email") is None


def test_the_fifth_wrong_try_freezes_for_half_an_hour_and_then_counts_anew() -> None:
    guard = otp.OtpGuard(NOW)
    for _ in range(4):
        guard = guard.after_failure(NOW, RULES)
        guard.check_not_frozen(NOW, RULES)
    guard = guard.after_failure(NOW, RULES)
    with pytest.raises(WireError) as refused:
        guard.check_not_frozen(NOW + timedelta(minutes=29), RULES)
    assert code_of(refused) == "IDA-OTA-013"
    assert "30 minutes" in refused.value.message
    later = NOW + timedelta(minutes=30)
    guard.check_not_frozen(later, RULES)
    guard = guard.after_failure(later, RULES)
    assert guard.failures == 1
    assert guard.frozen_until is None
    assert guard.after_success().failures == 0


def test_requests_are_counted_in_a_window() -> None:
    rules = otp.OtpRules(max_requests=2)
    guard = otp.OtpGuard(NOW)
    for _ in range(2):
        guard = guard.after_request(NOW, rules)
    with pytest.raises(WireError) as refused:
        guard.after_request(NOW + timedelta(seconds=59), rules)
    assert code_of(refused) == "IDA-OTA-001"
    assert guard.after_request(NOW + timedelta(seconds=60), rules).requests == 1


def test_an_otp_has_its_length_and_is_bound_to_every_part() -> None:
    drawn = {otp.draw_otp(RULES) for _ in range(50)}
    assert all(len(one) == 6 and one.isdigit() for one in drawn)
    assert len(drawn) > 40
    parts = (b"key", "bank", "TRANSACT10", "123456")
    whole = otp.mac_input(*parts)
    assert otp.mac_input(b"ke", "ybank", *parts[2:]) != whole
    assert otp.mac_input(b"key", "bankT", "RANSACT10", "123456") != whole


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("5550123456", "XXXXXX3456"),
        ("+4912345678901", "XXXXXXXXXX8901"),
        ("123", "XXX"),
        ("", ""),
    ],
)
def test_a_phone_is_masked(phone: str, masked: str) -> None:
    assert otp.mask_phone(phone) == masked


@given(st.emails())
def test_an_email_is_masked_and_keeps_its_domain(address: str) -> None:
    masked = otp.mask_email(address)
    assert len(masked) == len(address)
    assert masked.rpartition("@")[2] == address.rpartition("@")[2]
    assert masked.startswith("X")


def test_probes_meet_references_of_their_position_or_all_when_unknown() -> None:
    thumb = ReferenceTemplate(Modality.FINGER, 1, b"t")
    index = ReferenceTemplate(Modality.FINGER, 2, b"i")
    iris = ReferenceTemplate(Modality.IRIS, 1, b"e")
    everything = (thumb, index, iris)
    known = biometrics.probe_of("Finger", "Right IndexFinger", b"p")
    assert biometrics.references_for(known, everything) == (index,)
    unknown = biometrics.probe_of("FMR", "UNKNOWN", b"p")
    assert biometrics.references_for(unknown, everything) == (thumb, index)
    left = biometrics.probe_of("Iris", "Left", b"p")
    with pytest.raises(WireError) as refused:
        biometrics.check_comparable([known, left], everything)
    assert code_of(refused) == "IDA-BIA-006"
    assert list(biometrics.by_modality([known, left, unknown])) == [Modality.FINGER, Modality.IRIS]


def test_kyc_tells_what_is_allowed_in_the_languages_of_the_policy() -> None:
    allowed = ("name", "dob", "age", "phoneNumber", "fullAddress", "emailId", "photo")
    told = kyc.kyc_attributes(PERSON, allowed, ("eng",), NOW.date())
    assert told == {
        "name_eng": "Anna Berg",
        "dob": "1990/05/17",
        "age": "35",
        "phoneNumber": "5550123456",
        "fullAddress_eng": "1 Main,Oslo,14022",
    }
    every = kyc.kyc_attributes(PERSON, ("fullName",), ("deu",), NOW.date())
    assert every == {"fullName_eng": "Anna Berg", "fullName_fra": "Anne Mont"}
    assert kyc.kyc_attributes(PERSON, (), (), NOW.date()) == {}


def test_a_token_is_36_digits_for_a_partner_a_policy_or_nobody() -> None:
    partner = VerifiedPartner("bank", "misp", "pol", "key", b"")
    assert len(token.draw_token()) == 36
    scopes = [
        token.scope_of(a_policy(authTokenType=kind), partner)
        for kind in ("random", "partner", "policy")
    ]
    assert scopes == [None, "partner:bank", "policy:pol"]


def test_nothing_personal_is_in_a_repr() -> None:
    assert "Anna" not in repr(PERSON)
    assert "data" not in repr(ReferenceTemplate(Modality.FINGER, 1, b"data"))
