"""MOSIP's messages are read in all their spellings, and refused by the code that says why."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.abis.domain.message import (
    Envelope,
    Failure,
    Kind,
    MessageRefusedError,
    Similar,
    as_uuid,
    candidate_list,
    done,
    envelope_of,
    failed,
    parse,
)
from tests.fakes.abis_messages import a_message

AT = datetime(2026, 3, 29, 7, 1, 24, 692_417, tzinfo=UTC)
ID = "2abe7b7d-b58a-4466-a006-c79297281123"


def failure_of(message: dict[str, Any]) -> Failure:
    with pytest.raises(MessageRefusedError) as refused:
        parse(envelope_of(json.dumps(message).encode())[1])
    return refused.value.failure


@pytest.mark.parametrize("kind", list(Kind))
def test_every_operation_is_known_by_its_id(kind: Kind) -> None:
    assert parse(a_message("ping", id=kind.value)).kind is kind


@pytest.mark.parametrize("spelling", ["referenceURL", "referenceUrl"])
def test_both_spellings_of_the_url_are_read(spelling: str) -> None:
    request = parse(a_message("insert", referenceId=ID, **{spelling: " https://a/b "}))
    assert (request.reference_id, request.reference_url) == (ID, "https://a/b")


def test_an_empty_spelling_beside_the_other_says_there_is_none() -> None:
    assert parse(a_message("identify", referenceId=ID, referenceUrl="")).reference_url == ""


@pytest.mark.parametrize(
    "time",
    [
        {"requesttime": "2020-03-29T07:01:24.692Z"},
        {"requesttime": "2020-03-29T07:01:24Z"},
        {"requesttime": "2020-03-29T07:01:24.692417"},
        {"requesttime": "2020-03-29T07:01:24.692+05:30"},
        {"requestTime": "1539777717"},
        {"timestamp": 1539777717},
        {"timestamp": "1539777717123"},
    ],
)
def test_every_form_of_time_that_mosip_has_sent_is_taken(time: dict[str, Any]) -> None:
    assert parse(a_message("ping", requesttime=None) | time).kind is Kind.PING


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2020-03-29",
        "2020-02-30T07:01:24.692Z",
        "29/03/2020 07:01",
        "15397",
        "-1539777717",
    ],
)
def test_another_form_of_time_is_refused(text: str) -> None:
    assert failure_of(a_message("ping", requesttime=text)) is Failure.REQUEST_TIME_FORMAT


def test_flags_are_texts_or_numbers_inside_or_outside_of_flags() -> None:
    inside = parse(a_message("identify", flags={"maxResults": "30", "targetFPIR": "30"}))
    outside = parse(a_message("identify", maxResults=30, targetFPIR=30))
    assert inside.max_results == outside.max_results == 30
    assert inside.target_fpir == outside.target_fpir == pytest.approx(0.001)
    assert parse(a_message("identify", flags={"targetFpir": "50"})).target_fpir == pytest.approx(
        1e-5
    )
    plain = parse(a_message("identify", flags={"flag1": "value1"}))
    assert (plain.max_results, plain.target_fpir) == (10, None)
    assert parse(a_message("identify", flags={"maxResults": "5000"})).max_results == 100


def test_a_gallery_restricts_unless_it_is_empty() -> None:
    gallery = {"referenceIds": [{"referenceId": ID}, {"referenceId": "r1"}]}
    assert parse(a_message("identify", gallery=gallery)).among == (ID, "r1")
    empties: list[Any] = [None, {}, {"referenceIds": None}, {"referenceIds": []}]
    for empty in empties:
        assert parse(a_message("identify") | {"gallery": empty}).among is None


@pytest.mark.parametrize(
    "more",
    [
        {"referenceId": 5},
        {"referenceId": "x" * 129},
        {"requestId": ["a"]},
        {"flags": "30"},
        {"flags": {"maxResults": "many"}},
        {"flags": {"maxResults": "0"}},
        {"flags": {"maxResults": True}},
        {"flags": {"targetFPIR": "-3"}},
        {"flags": {"targetFPIR": "3.5"}},
        {"gallery": []},
        {"gallery": {"referenceIds": {}}},
        {"gallery": {"referenceIds": ["r1"]}},
        {"gallery": {"referenceIds": [{}]}},
        {"gallery": {"referenceIds": [{"referenceId": ID}] * 1001}},
        {"referenceURL": {"a": 1}},
    ],
)
def test_a_member_of_another_type_is_a_wrong_structure(more: dict[str, Any]) -> None:
    assert failure_of(a_message("identify") | more) is Failure.STRUCTURE


def test_the_first_fault_in_the_order_of_the_codes_is_told() -> None:
    everything: dict[str, Any] = {
        "id": "mosip.id.identify",
        "version": "2.0",
        "requestId": "",
        "requesttime": "never",
        "flags": 1,
    }
    mended: list[tuple[str, Any, Failure]] = [
        ("flags", {}, Failure.STRUCTURE),
        ("id", "mosip.abis.identify", Failure.ID),
        ("version", "1.1", Failure.VERSION),
        ("requestId", "r", Failure.REQUEST_ID_MISSING),
        ("requesttime", None, Failure.REQUEST_TIME_FORMAT),
        ("requesttime", "2020-03-29T07:01:24.692Z", Failure.REQUEST_TIME_MISSING),
    ]
    for name, better, failure in mended:
        assert failure_of(everything) is failure
        everything[name] = better
    assert parse(everything).kind is Kind.IDENTIFY


@pytest.mark.parametrize("name", ["id", "version", "requestId", "requesttime"])
def test_null_is_as_good_as_missing(name: str) -> None:
    assert failure_of(a_message("ping") | {name: None}) is failure_of(
        a_message("ping", **{name: None})
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"id":"a","id":"b"}', b'{"a":NaN}', b"[" * 5000, b"{}"],
)
def test_what_is_no_json_object_is_a_wrong_structure(data: bytes) -> None:
    envelope, document = envelope_of(data)
    assert envelope == Envelope()
    with pytest.raises(MessageRefusedError) as refused:
        parse(document)
    assert refused.value.failure is Failure.STRUCTURE


def test_an_answer_repeats_id_and_request_id_even_of_a_message_that_is_refused() -> None:
    envelope, _ = envelope_of(b'{"id":"mosip.id.identify","requestId":"q","version":1}')
    assert json.loads(failed(envelope, AT, Failure.STRUCTURE)) == {
        "id": "mosip.id.identify",
        "requestId": "q",
        "responsetime": "2026-03-29T07:01:24.692Z",
        "returnValue": "2",
        "failureReason": "4",
    }
    assert envelope_of(b'{"id":7,"requestId":{}}')[0] == Envelope()


def test_every_number_of_an_answer_is_a_text() -> None:
    similar = Similar(UUID(ID.upper()), 31.25, 0.876, {"FIR": (12.5, 0.5), "FID": (1.0, 1.5)})
    answer = json.loads(done(Envelope("a", "b"), AT, candidateList=candidate_list([similar])))
    assert answer["returnValue"] == "1"
    assert answer["candidateList"] == {
        "count": "1",
        "candidates": [
            {
                "referenceId": ID,
                "analytics": {"confidence": "88", "internalScore": "31.2500"},
                "modalities": [
                    {
                        "biometricType": "FIR",
                        "analytics": {"confidence": "50", "internalScore": "12.5000"},
                    },
                    {
                        "biometricType": "FID",
                        "analytics": {"confidence": "100", "internalScore": "1.0000"},
                    },
                ],
            }
        ],
    }


def test_a_reference_id_is_a_uuid_in_either_case() -> None:
    assert as_uuid(ID.upper()) == UUID(ID)
    for text in ("r1", ID.replace("-", ""), f"{{{ID}}}", ID + "0", str(UUID(int=0)), ""):
        assert as_uuid(text) is None


TEXT = st.text("ab0é\u0000\ud800", max_size=4)
VALUES = st.none() | st.booleans() | st.integers() | TEXT | st.sampled_from(list(Kind))


@given(
    st.dictionaries(
        st.sampled_from(
            ["id", "version", "requestId", "requesttime", "referenceId", "flags", "gallery"]
        ),
        st.recursive(
            VALUES,
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
            max_leaves=4,
        ),
    )
)
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    text = json.dumps(document, default=lambda kind: kind.value)
    envelope, read = envelope_of(text.encode())
    with suppress(MessageRefusedError):
        parse(read)
    assert json.loads(failed(envelope, AT, Failure.STRUCTURE))["returnValue"] == "2"
