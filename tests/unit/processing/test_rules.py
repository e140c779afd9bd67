"""Rules without I/O: flows, backoff, demographic inputs, who waits for whom, schemas."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.processing.domain.candidates import CaseCandidate, judge
from services.processing.domain.demographics import DemographicFields, age_years, lookup_inputs
from services.processing.domain.flow import FLOWS, Backoff, Flow, OutcomeKind
from services.processing.domain.packet import PacketRefusedError
from services.processing.domain.registration import (
    GalleryPosition,
    Received,
    Registration,
    RegistrationState,
)
from services.processing.domain.schema import (
    IdSchema,
    SchemaUnusableError,
    check_identity,
    compile_schema,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FIELDS = DemographicFields()


def a_registration(
    number: int, state: RegistrationState, sequence: int | None = None
) -> Registration:
    received = Received(f"{number:029d}", f"p{number}", "NEW", "10001", "10077", b"", 0, NOW, True)
    position = None if sequence is None else GalleryPosition(1, 0, sequence)
    return Registration(received, state, "stage", UUID(int=number), NOW, position=position)


@pytest.mark.parametrize("flow", FLOWS.values(), ids=str)
def test_every_outcome_of_a_flow_leads_somewhere(flow: Flow) -> None:
    reached = {flow.first}
    for stage, targets in flow.steps.items():
        assert OutcomeKind.CONTINUE in targets
        for kind, target in targets.items():
            assert isinstance(target, RegistrationState) or target in flow.steps, (stage, kind)
            if isinstance(target, str):
                reached.add(target)
        for kind in (OutcomeKind.RETRY, OutcomeKind.HOLD):
            assert flow.target(stage, kind) == stage
    assert reached == set(flow.steps)


@given(attempts=st.integers(0, 10_000), seed=st.integers(), least=st.floats(0, 1000))
def test_a_delay_is_bounded_below_and_above(attempts: int, seed: int, least: float) -> None:
    backoff = Backoff(0.5, 300.0)
    delay = backoff.delay_s(attempts, random.Random(seed), least_s=least)
    assert max(0.25, least) <= delay <= max(300.0, least)


def test_delays_double() -> None:
    class Full(random.Random):
        def random(self) -> float:
            return 1.0

    delays = [Backoff(0.5, 300.0).delay_s(n, Full()) for n in range(1, 6)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0]


def an_identity(**changes: Any) -> dict[str, Any]:
    return {
        "fullName": [
            {"language": "eng", "value": "Amina  Diallo"},
            {"language": "ara", "value": "أمينة"},
        ],
        "dateOfBirth": "1990/02/03",
        "gender": [{"language": "eng", "value": "Female"}],
    } | changes


def test_spelling_of_case_and_space_makes_no_difference() -> None:
    same = an_identity(fullName=[{"language": "eng", "value": " amina diallo "}])
    assert lookup_inputs(an_identity(), FIELDS)["eng"] == lookup_inputs(same, FIELDS)["eng"]
    assert set(lookup_inputs(an_identity(), FIELDS)) == {"eng", "ara"}


@pytest.mark.parametrize(
    "change",
    [
        {"dateOfBirth": "1990/02/04"},
        {"gender": [{"language": "eng", "value": "Male"}]},
        {"fullName": [{"language": "eng", "value": "Amina Diallo B"}]},
        {"fullName": [{"language": "fra", "value": "Amina Diallo"}]},
    ],
)
def test_other_papers_have_other_inputs(change: dict[str, Any]) -> None:
    mine = set(lookup_inputs(an_identity(), FIELDS).values())
    assert mine.isdisjoint(lookup_inputs(an_identity(**change), FIELDS).values())


@pytest.mark.parametrize("change", [{"dateOfBirth": ""}, {"dateOfBirth": None}, {"fullName": []}])
def test_without_name_or_birth_date_nothing_is_compared(change: dict[str, Any]) -> None:
    assert lookup_inputs(an_identity(**change), FIELDS) == {}


def test_age_is_in_full_years() -> None:
    identity = an_identity(dateOfBirth="2020/06/15")
    assert age_years(identity, FIELDS, date(2026, 6, 14)) == 5
    assert age_years(identity, FIELDS, date(2026, 6, 15)) == 6
    assert age_years(an_identity(dateOfBirth="15.6.2020"), FIELDS, date(2026, 1, 1)) is None


@given(st.permutations(range(1, 7)), st.integers(2, 6))
def test_of_any_number_in_flight_exactly_one_waits_for_nobody(order: list[int], count: int) -> None:
    people = [
        a_registration(number, RegistrationState.PROCESSING, sequence)
        for number, sequence in enumerate(order[:count], 1)
    ]
    waits = {}
    for mine in people:
        found = [(each, CaseCandidate(each.registration_id, "biometric", 1.0)) for each in people]
        waits[mine.registration_id] = judge(mine, found).waits_for
    free = [rid for rid, other in waits.items() if other is None]
    assert len(free) == 1
    for rid in waits:
        seen, at = set(), rid
        while (after := waits[at]) is not None:
            assert at not in seen, "waiting goes in a circle"
            seen.add(at)
            at = after


def test_the_refused_are_nobody_and_the_processed_are_candidates_whatever_their_place() -> None:
    mine = a_registration(1, RegistrationState.PROCESSING, 5)
    others = [
        a_registration(2, RegistrationState.REJECTED, 1),
        a_registration(3, RegistrationState.FAILED, 2),
        a_registration(4, RegistrationState.PROCESSED, 9),
        a_registration(5, RegistrationState.PAUSED, 7),
        a_registration(6, RegistrationState.PROCESSING, 8),
    ]
    found = [(each, CaseCandidate(each.registration_id, "biometric", 0.9)) for each in others]
    verdict = judge(mine, found)
    assert [each.registration_id for each in verdict.candidates] == [others[2].registration_id]
    assert (verdict.waits_for, verdict.unsettled) == (None, False)


def schema(**identity: Any) -> str:
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": {"identity": {"type": "object", "additionalProperties": False, **identity}},
    }
    return json.dumps(document)


def compiled(**identity: Any) -> IdSchema:
    return compile_schema(schema(**identity))


def test_mandatory_fields_may_be_either_of_two() -> None:
    document = compiled(properties={"a": {}, "b": {}, "c": {}}, required=["c"])
    check_identity({"b": "x"}, document, ["a|b"])
    with pytest.raises(PacketRefusedError) as refused:
        check_identity({"c": "x", "a": ""}, document, ["a|b"])
    assert refused.value.reason == "ID_FIELD_MISSING"
    with pytest.raises(PacketRefusedError):
        check_identity({"a": "x"}, document, [])


def test_a_pattern_holds_for_every_language() -> None:
    rule = {"validators": [{"type": "regex", "validator": "^[A-Z]+$", "arguments": []}]}
    document = compiled(properties={"name": rule})
    check_identity({"name": [{"language": "eng", "value": "AB"}]}, document, [])
    with pytest.raises(PacketRefusedError) as refused:
        check_identity({"name": [{"value": "AB"}, {"value": "ab"}]}, document, [])
    assert refused.value.reason == "ID_SCHEMA_INVALID"
    with pytest.raises(PacketRefusedError):
        check_identity({"name": "A" * 5000}, document, [])


@pytest.mark.parametrize(
    "broken",
    [
        schema(type="no type"),
        schema(properties={"name": {"validators": [{"type": "regex", "validator": "("}]}}),
    ],
)
def test_a_broken_schema_is_not_the_packets_fault(broken: str) -> None:
    with pytest.raises(SchemaUnusableError):
        compile_schema(broken)
