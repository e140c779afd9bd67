"""Finger minutiae records as others write them: the bytes are where the standards have them."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher_ext import FingerTemplate, MatcherError
from services.common.biometrics import (
    BiometricsError,
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    read_finger_minutiae,
    write_ansi_378,
    write_fmr,
    write_fmr_2011,
)

VIEW = FingerView(7, 80, (Minutia(138, 199, 64, 2, 80), Minutia(0, 353, 255, 1, 0)), 8, 1)


def views() -> st.SearchStrategy[FingerView]:
    minutiae = st.builds(
        Minutia,
        x=st.integers(0, 499),
        y=st.integers(0, 599),
        angle=st.integers(0, 255),
        kind=st.integers(0, 2),
        quality=st.integers(0, 100),
    )
    return st.builds(
        FingerView,
        position=st.integers(0, 10),
        quality=st.integers(0, 100),
        minutiae=st.lists(minutiae, max_size=20).map(tuple),
        impression=st.integers(0, 15),
        view=st.integers(0, 15),
    )


RECORD = FingerMinutiaeRecord(316, 354, (VIEW, FingerView(2, 0, ())), 197, 200, 17)


def test_a_record_of_2011_is_laid_out_as_the_standard_says() -> None:
    data = write_fmr_2011(RECORD)
    assert data[:8] == b"FMR\x00030\x00"
    first, second = 39 + 2 * 6, 34
    assert struct.unpack(">IHB", data[8:15]) == (15 + first + second, 2, 0)
    time, device = b"\xff" * 9, struct.pack(">BHH", 0, 0, 17)
    front = struct.pack(">I", first) + time + device + b"\x01" + struct.pack(">BHH", 80, 0, 0)
    finger = struct.pack(">BBHHBHHBB", 7, 1, 197, 200, 8, 316, 354, 0x60, 2)
    minutiae = bytes.fromhex("808a00c74050" + "40000161ff00")
    assert data[15 : 15 + first] == front + finger + minutiae + bytes(2)
    # Quality 0 is unknown: no block of it.
    assert data[15 + first + 18 : 15 + first + 20] == b"\x00\x02"
    assert len(data) == 15 + first + second


def test_an_ansi_record_is_laid_out_as_the_standard_says() -> None:
    data = write_ansi_378(RECORD)
    assert data[:10] == b"FMR\x00 20\x00" + struct.pack(">H", len(data))
    header = struct.pack(">HHHHHHHBB", 0x0103, 0, 17, 316, 354, 197, 200, 2, 0)
    first = bytes([7, 0x18, 80, 2]) + bytes.fromhex("808a00c72d50" + "40000161b300") + bytes(2)
    assert data[10:] == header + first + bytes([2, 0, 0, 0]) + bytes(2)


@pytest.mark.parametrize("write", [write_fmr_2011, write_ansi_378])
@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, width=70_000),
        replace(RECORD, views=(VIEW,) * 177),
        replace(RECORD, views=(replace(VIEW, minutiae=(Minutia(16384, 0, 0, 1, 0),)),)),
        replace(RECORD, views=(replace(VIEW, minutiae=(Minutia(1, 1, 256, 1, 0),)),)),
        replace(RECORD, views=(replace(VIEW, minutiae=(Minutia(1, 1, 1, 1, 0),) * 256),)),
        replace(RECORD, views=(replace(VIEW, impression=16),)),
    ],
)
def test_numbers_that_do_not_fit_are_not_written(
    write: Callable[[FingerMinutiaeRecord], bytes], record: FingerMinutiaeRecord
) -> None:
    with pytest.raises(ValueError, match=r"field|at most|bits"):
        write(record)


def read_one(data: bytes) -> FingerMinutiaeRecord:
    [record] = read_finger_minutiae(data)
    return record


def test_each_format_is_told_from_the_others_and_read() -> None:
    assert read_one(write_fmr(RECORD)) == RECORD
    assert read_finger_minutiae(write_fmr_2011(RECORD)) == tuple(
        replace(RECORD, views=(view,)) for view in RECORD.views
    )
    coarse = Minutia(0, 353, 255, 1, 0)  # 179 steps of two degrees, as 255 of ours
    assert read_one(write_ansi_378(RECORD)).views[0].minutiae == (VIEW.minutiae[0], coarse)


@given(st.lists(views(), min_size=1, max_size=4).map(tuple))
def test_any_record_survives_in_any_format(some: tuple[FingerView, ...]) -> None:
    record = FingerMinutiaeRecord(500, 600, some, 197, 200, 17)
    assert read_one(write_fmr(record)) == record
    read = read_finger_minutiae(write_fmr_2011(record))
    assert [one.views[0] for one in read] == list(some)
    ansi = read_one(write_ansi_378(record))
    for view, again in zip(some, ansi.views, strict=True):
        assert replace(again, minutiae=()) == replace(view, minutiae=())
        for minutia, near in zip(view.minutiae, again.minutiae, strict=True):
            assert near._replace(angle=0) == minutia._replace(angle=0)
            assert min((near.angle - minutia.angle) % 256, (minutia.angle - near.angle) % 256) <= 1


@pytest.mark.parametrize("write", [write_fmr_2011, write_ansi_378])
def test_a_record_cut_short_or_with_bytes_behind_it_is_refused(
    write: Callable[[FingerMinutiaeRecord], bytes],
) -> None:
    data = write(RECORD)
    for length in range(len(data)):
        with pytest.raises(BiometricsError):
            read_finger_minutiae(data[:length])
    with pytest.raises(BiometricsError) as refused:
        read_finger_minutiae(data + b"\0")
    assert refused.value.reason == "LENGTH_MISMATCH"
    assert read_finger_minutiae(data + b"\0", allow_trailing=True) == read_finger_minutiae(data)


@pytest.mark.parametrize(
    ("write", "offset", "value", "reason"),
    [
        (write_fmr_2011, 14, b"\x02", "FORMAT_UNKNOWN"),
        (write_fmr_2011, 12, b"\0\0", "NO_VIEWS"),
        (write_fmr_2011, 15, b"\0\0\0\x03", "LENGTH_MISMATCH"),
        (write_fmr_2011, 34, b"\x65", "QUALITY_INVALID"),
        (write_fmr_2011, 39, b"\x0b", "POSITION_UNKNOWN"),
        (write_fmr_2011, 41, b"\0\0", "RESOLUTION_INVALID"),
        (write_fmr_2011, 50, b"\x70", "FORMAT_UNKNOWN"),
        (write_fmr_2011, 52, b"\xc0", "MINUTIA_INVALID"),
        (write_fmr_2011, 54, b"\x3f\xff", "MINUTIA_OUTSIDE_IMAGE"),
        (write_ansi_378, 20, b"\0\0", "RESOLUTION_INVALID"),
        (write_ansi_378, 24, b"\0", "NO_VIEWS"),
        (write_ansi_378, 24, b"\x01", "LENGTH_MISMATCH"),
        (write_ansi_378, 26, b"\x0b", "POSITION_UNKNOWN"),
        (write_ansi_378, 28, b"\x65", "QUALITY_INVALID"),
        (write_ansi_378, 34, b"\xb4", "DIRECTION_INVALID"),
    ],
)
def test_a_malformed_record_is_refused_with_a_reason(
    write: Callable[[FingerMinutiaeRecord], bytes], offset: int, value: bytes, reason: str
) -> None:
    data = bytearray(write(RECORD))
    data[offset : offset + len(value)] = value
    with pytest.raises(BiometricsError) as refused:
        read_finger_minutiae(bytes(data))
    assert refused.value.reason == reason


@given(
    st.sampled_from([write_fmr, write_fmr_2011, write_ansi_378]),
    st.lists(st.tuples(st.integers(8, 90), st.integers(0, 255)), max_size=3),
)
def test_what_the_matcher_reads_is_never_refused_before_it(
    write: Callable[[FingerMinutiaeRecord], bytes], changes: list[tuple[int, int]]
) -> None:
    data = bytearray(write(RECORD))
    for offset, value in changes:
        data[min(offset, len(data) - 1)] = value
    try:
        FingerTemplate.from_record(bytes(data))
    except MatcherError:
        return
    read_finger_minutiae(bytes(data))
