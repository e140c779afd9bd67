"""Finger minutiae records of 2005: what is read, and that nothing else is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher_ext import FingerTemplate, MatcherError, similarity
from tests.unit.matcher_ext.captures import an_iso_record

GOOD = an_iso_record([(10 + 9 * k % 300, 20 + 31 * k % 500, 17 * k % 256) for k in range(30)])


def refused(record: bytes, view: int = 0) -> tuple[str, str]:
    with pytest.raises(MatcherError) as error:
        FingerTemplate.from_record(record, view)
    return error.value.reason, error.value.field


def test_a_record_is_read() -> None:
    template = FingerTemplate.from_record(GOOD)
    assert (template.minutiae, template.position, template.quality) == (30, 2, 80)


def test_each_view_is_a_template() -> None:
    record = an_iso_record([(5, 5, 0), (50, 60, 9)], views=3)
    assert FingerTemplate.from_record(record, 2).minutiae == 2
    assert refused(record, 3) == ("TEMPLATE_MALFORMED", "views")


@pytest.mark.parametrize("length", [3, 7])  # of the data, and as others have it, of the area
def test_extended_data_is_passed_over(length: int) -> None:
    area = struct.pack(">HH", 1, length) + b"abc"
    assert FingerTemplate.from_record(an_iso_record([(1, 1, 1)], extended=area * 2)).minutiae == 1


def test_of_too_many_minutiae_some_are_kept() -> None:
    record = an_iso_record([(k, 2 * k, k) for k in range(255)])
    assert FingerTemplate.from_record(record).minutiae == 64


def test_a_template_without_minutiae_is_refused() -> None:
    assert refused(an_iso_record([])) == ("TEMPLATE_EMPTY", "minutiae")


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (b"", "length"),
        (GOOD[:23], "length"),
        (b"FAC" + GOOD[3:], "magic"),
        (b"FMR\0 30\0" + GOOD[8:], "magic"),
        (GOOD[:-1], "length"),
        (GOOD + b"\0", "length"),
        (an_iso_record([(400, 1, 1)]), "minutia.x"),
        (an_iso_record([(1, 560, 1)]), "minutia.y"),
        (an_iso_record([(1, 1, 1)], resolution=0), "x_resolution"),
        (an_iso_record([(1, 1, 1)], resolution=65535), "x_resolution"),
        (an_iso_record([(1, 1, 1)], position=11), "position"),
        (an_iso_record([(1, 1, 1)], quality=101), "quality"),
        (an_iso_record([(1, 1, 1)], extended=b"\0\1\0\3"), "extended.area"),
        (an_iso_record([(1, 1, 1)], extended=b"\0\1\0\7abcd"), "extended.area"),
        (an_iso_record([(1, 1, 1)], extended=b"\0\1\0\xff"), "extended.area"),
        (an_iso_record([(1, 1, 1)], extended=b"\0"), "extended.type"),
    ],
)
def test_what_is_wrong_is_named(record: bytes, field: str) -> None:
    assert refused(record) == ("TEMPLATE_MALFORMED", field)


def test_a_count_beyond_the_record_is_refused() -> None:
    record = bytearray(GOOD)
    record[27] = 255
    assert refused(bytes(record))[0] == "TEMPLATE_MALFORMED"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refused(data)


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(GOOD)),
)
def test_a_damaged_record_is_read_or_refused(changes: list[tuple[int, int]], end: int) -> None:
    record = bytearray(GOOD)
    for at, value in changes:
        record[at] = value
    cut = record[: max(end, 12)]
    cut[8:12] = struct.pack(">I", len(cut))  # so that the rest of the parser is reached
    read_or_refused(bytes(cut))
    read_or_refused(bytes(record))


def read_or_refused(record: bytes) -> None:
    try:
        template = FingerTemplate.from_record(record)
    except MatcherError as error:
        assert error.reason in {"TEMPLATE_MALFORMED", "TEMPLATE_EMPTY"}  # noqa: PT017
        return
    assert 1 <= template.minutiae <= 64
    assert 0.0 <= similarity(template, template) <= 1.0
