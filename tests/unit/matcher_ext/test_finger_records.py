"""Finger minutiae records of three formats: one finger, one template."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher_ext import FingerTemplate, MatcherError, similarity
from services.common.biometrics import (
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    read_fmr,
    write_ansi_378,
    write_fmr,
    write_fmr_2011,
)

Writer = Callable[[FingerMinutiaeRecord], bytes]
WRITERS: dict[str, Writer] = {
    "iso_2005": write_fmr,
    "iso_2011": write_fmr_2011,
    "ansi_378": write_ansi_378,
}
ROOT = Path(__file__).resolve().parents[3]
FINGER = FingerView(7, 80, tuple(Minutia(9 * k, 11 * k, 8 * k, k % 3, 2 * k) for k in range(32)))
RECORD = FingerMinutiaeRecord(400, 500, (FINGER, replace(FINGER, view=1, quality=0)))


def ansi_angles(record: FingerMinutiaeRecord) -> FingerMinutiaeRecord:
    """The record with angles that steps of two degrees hold: those that the matcher reads back."""

    def coarse(minutia: Minutia) -> Minutia:
        step = round(minutia.angle * 180 / 256) % 180
        return minutia._replace(angle=(step * 512 + 180) // 360)

    views = [replace(v, minutiae=tuple(map(coarse, v.minutiae))) for v in record.views]
    return replace(record, views=tuple(views))


def same(one: FingerTemplate, other: FingerTemplate) -> bool:
    return (
        np.array_equal(one.rows, other.rows)
        and (one.position, one.quality) == (other.position, other.quality)
        and similarity(one, one) == similarity(one, other) == similarity(other, other)
    )


VIEWS = st.builds(
    FingerView,
    position=st.integers(0, 10),
    quality=st.integers(0, 100),
    minutiae=st.lists(
        st.builds(
            Minutia,
            x=st.integers(0, 499),
            y=st.integers(0, 599),
            angle=st.integers(0, 255),
            kind=st.integers(0, 2),
            quality=st.integers(0, 100),
        ),
        min_size=1,
        max_size=100,
    ).map(tuple),
    impression=st.integers(0, 15),
    view=st.integers(0, 15),
)
RECORDS = st.builds(
    FingerMinutiaeRecord,
    width=st.just(500),
    height=st.just(600),
    views=st.lists(VIEWS, min_size=1, max_size=4).map(tuple),
    x_resolution=st.integers(50, 1000),
    y_resolution=st.integers(50, 1000),
    device=st.integers(0, 0xFFFF),
)


@given(RECORDS)
def test_a_finger_gives_one_template_whatever_the_format(record: FingerMinutiaeRecord) -> None:
    record = ansi_angles(record)
    for number, view in enumerate(record.views):
        first, *others = (
            FingerTemplate.from_record(write(record), number) for write in WRITERS.values()
        )
        assert (first.position, first.quality) == (view.position, view.quality)
        assert all(same(first, other) for other in others)


@given(RECORDS)
def test_iso_of_2011_keeps_every_angle(record: FingerMinutiaeRecord) -> None:
    old, new = (FingerTemplate.from_record(write(record)) for write in (write_fmr, write_fmr_2011))
    assert same(old, new)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_resolution_scales_each_axis_to_500_dpi(write: Writer) -> None:
    view = FingerView(1, 50, (Minutia(100, 200, 0, 1, 9), Minutia(300, 400, 128, 2, 0)))
    record = FingerMinutiaeRecord(500, 600, (view,), x_resolution=394, y_resolution=99)
    rows = FingerTemplate.from_record(write(record)).rows
    # 1000.76 dpi across, 251.46 dpi along; y goes up; the least of each is 0.
    assert rows.tolist() == [[0, 397, 0, 9], [100, 0, 128, 0]]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_view_without_minutiae_is_an_empty_template(write: Writer) -> None:
    empty = replace(RECORD, views=(FINGER, FingerView(2, 40, ())))
    assert FingerTemplate.from_record(write(empty), 0).minutiae == 32
    assert refused(write(empty), 1) == ("TEMPLATE_EMPTY", "minutiae")
    assert refused(write(empty), 2) == ("TEMPLATE_MALFORMED", "views")
    assert refused(write(replace(RECORD, views=()))) == ("TEMPLATE_MALFORMED", "views")


def test_a_long_ansi_record_has_a_length_of_six_bytes() -> None:
    view = replace(FINGER, minutiae=FINGER.minutiae * 7)
    record = ansi_angles(replace(RECORD, views=(view,) * 50))
    data = write_ansi_378(record)
    assert data[8:14] == struct.pack(">HI", 0, len(data))
    assert same(FingerTemplate.from_record(data, 49), FingerTemplate.from_record(data, 0))


def refused(record: bytes, view: int = 0) -> tuple[str, str]:
    with pytest.raises(MatcherError) as error:
        FingerTemplate.from_record(record, view)
    return error.value.reason, error.value.field


def edited(record: bytes, at: int, value: bytes) -> bytes:
    return record[:at] + value + record[at + len(value) :]


def extended(record: bytes, block: bytes) -> bytes:
    """A record of one view, with block for its extended data."""
    body = record[:-2] + struct.pack(">H", len(block)) + block
    grown = len(body) - len(record)
    if record[4:7] == b"030":
        (inner,) = struct.unpack_from(">I", body, 15)
        body = edited(body, 15, struct.pack(">I", inner + grown))
    return edited(body, 8, struct.pack(">H" if record == ANSI else ">I", len(body)))


ONE = replace(RECORD, views=(FINGER,))
ISO_2011 = write_fmr_2011(ONE)
ANSI = write_ansi_378(ONE)
# Offsets of the standards' tables. A representation of 2011 starts at 15 and has one quality block.
FIELDS_OF_2011 = [
    (7, b"\1", "magic"),
    (8, b"\0\0\0\1", "length"),
    (12, b"\0\0", "views"),
    (12, b"\0\2", "representation.length"),
    (14, b"\2", "certification_flag"),
    (15, b"\0\0\0\3", "representation.length"),
    (15, b"\0\0\0\4", "capture_time"),
    (15, b"\0\0\0\x0d", "device.technology"),
    (15, b"\0\0\0\x0f", "device.vendor"),
    (15, b"\0\0\0\x11", "device.type"),
    (15, b"\0\0\0\x12", "quality.blocks"),
    (15, b"\0\0\0\xe5", "extended.length"),
    (15, b"\0\0\0\xe6", "extended.length"),
    (15, b"\xff\xff\xff\xff", "representation.length"),
    (34, b"\x65", "quality.score"),
    (34, b"\xfd", "quality.score"),
    (39, b"\x0b", "position"),
    (41, b"\0\0", "x_resolution"),
    (43, b"\xff\xff", "y_resolution"),
    (46, b"\0\0", "minutia.x"),
    (48, b"\0\0", "minutia.y"),
    (50, b"\x40", "minutia_bytes"),
    (50, b"\x70", "minutia_bytes"),
    (51, b"\xff", "minutia.y"),
    (51, b"\x01", "extended"),
    (52, b"\xc0", "minutia.type"),
    (52, b"\x3f", "minutia.x"),
    (54, b"\x3f", "minutia.y"),
    (57, b"\x65", "minutia.quality"),
]
FIELDS_OF_ANSI = [
    (0, b"f", "magic"),
    (8, b"\1\1", "length"),
    (16, b"\0\0", "minutia.x"),
    (18, b"\0\0", "minutia.y"),
    (20, b"\0\x31", "x_resolution"),
    (22, b"\3\xe9", "y_resolution"),
    (24, b"\0", "views"),
    (24, b"\2", "position"),
    (26, b"\x0b", "position"),
    (28, b"\x65", "quality"),
    (29, b"\xff", "minutia.y"),
    (30, b"\xc0", "minutia.type"),
    (30, b"\x3f", "minutia.x"),
    (32, b"\x3f", "minutia.y"),
    (34, b"\xb4", "minutia.direction"),
    (35, b"\x65", "minutia.quality"),
    (35, b"\xfe", "minutia.quality"),
]


@pytest.mark.parametrize(
    ("record", "at", "value", "field"),
    [(ISO_2011, *case) for case in FIELDS_OF_2011] + [(ANSI, *case) for case in FIELDS_OF_ANSI],
)
def test_what_is_wrong_is_named(record: bytes, at: int, value: bytes, field: str) -> None:
    assert FingerTemplate.from_record(record).minutiae == 32
    assert refused(edited(record, at, value)) == ("TEMPLATE_MALFORMED", field)


@pytest.mark.parametrize("record", [write_fmr(ONE), ISO_2011, ANSI], ids=WRITERS)
def test_extended_data_is_framed(record: bytes) -> None:
    length_of_data = record == write_fmr(ONE)
    area = struct.pack(">HH", 0x0101, 5 if length_of_data else 9) + b"ridge"
    plain = FingerTemplate.from_record(record)
    assert same(plain, FingerTemplate.from_record(extended(record, area * 3)))
    for block, field in [
        (b"\0", "extended.type"),
        (area + b"\1\1", "extended.type"),
        (b"\1\1\0\3", "extended.area" if length_of_data else "extended.area_length"),
        (area[:-1], "extended.area"),
    ]:
        assert refused(extended(record, block)) == ("TEMPLATE_MALFORMED", field)


def representation(quality: bytes, certificates: bytes | None, minutiae: bytes) -> bytes:
    """A record of 2011 by the standard's table: time, device, quality, certificates, finger."""
    front = struct.pack(">HBBBBBHBHH", 2011, 12, 15, 23, 59, 59, 999, 1, 0x0042, 0x0011)
    finger = struct.pack(">BBHHBHH", 3, 0, 197, 197, 0, 300, 400) + minutiae + bytes(2)
    body = front + quality + (certificates or b"") + finger
    inner = struct.pack(">I", 4 + len(body)) + body
    flag = certificates is not None
    return b"FMR\x00030\x00" + struct.pack(">IHB", 15 + len(inner), 1, flag) + inner


FIVE_BYTES = b"\x50\x02" + struct.pack(">HHB", 0x400A, 20, 64) + struct.pack(">HHB", 0x801E, 40, 0)


def test_certificates_quality_blocks_and_short_minutiae_are_read() -> None:
    quality = b"\x03" + struct.pack(">BHHBHHBHH", 255, 1, 2, 70, 1, 3, 90, 1, 4)
    certificates = b"\x02" + struct.pack(">HBHB", 1, 1, 1, 3)
    for given_certificates in (None, b"\0", certificates):
        template = FingerTemplate.from_record(
            representation(quality, given_certificates, FIVE_BYTES)
        )
        assert template.rows.tolist() == [[0, 20, 64, 0], [20, 0, 0, 0]]
        # Of the first algorithm that could tell.
        assert (template.position, template.quality) == (3, 70)


@pytest.mark.parametrize("lacking", [254, 255])
def test_a_quality_that_was_not_reported_is_unknown(lacking: int) -> None:
    six = b"\x60\x01" + struct.pack(">HHBB", 0x400A, 20, 64, lacking)
    quality = struct.pack(">BBHH", 1, lacking, 1, 2)
    template = FingerTemplate.from_record(representation(quality, None, six))
    assert template.rows.tolist() == [[0, 0, 64, 0]]
    assert template.quality == 0


def test_a_certificate_that_is_cut_is_named() -> None:
    whole = representation(b"\0", b"\xff", b"\x60\0")
    assert refused(whole) == ("TEMPLATE_MALFORMED", "certification.authority")


@pytest.mark.parametrize("record", [write_fmr(RECORD), write_fmr_2011(RECORD)], ids=["20", "030"])
def test_a_record_cut_short_anywhere_is_refused(record: bytes) -> None:
    for length in range(len(record)):
        assert refused(record[:length])[0] == "TEMPLATE_MALFORMED"
        # With a length that fits, the views are found to be missing.
        fitting = edited(record[:length], 8, struct.pack(">I", length))
        assert refused(fitting[:length])[0] == "TEMPLATE_MALFORMED"


def test_an_ansi_record_cut_short_anywhere_is_refused() -> None:
    record = write_ansi_378(RECORD)
    for length in range(len(record)):
        assert refused(record[:length])[0] == "TEMPLATE_MALFORMED"
        fitting = edited(record[:length], 8, struct.pack(">H", length))
        assert refused(fitting[:length])[0] == "TEMPLATE_MALFORMED"


@given(
    st.sampled_from([write(RECORD) for write in WRITERS.values()]),
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 7)), max_size=5),
    st.integers(0, 1),
)
def test_a_record_with_bits_flipped_is_read_or_refused(
    record: bytes, flips: list[tuple[int, int]], view: int
) -> None:
    damaged = bytearray(record)
    for at, bit in flips:
        damaged[at % len(record)] ^= 1 << bit
    try:
        template = FingerTemplate.from_record(bytes(damaged), view)
    except MatcherError as error:
        assert error.reason in {"TEMPLATE_MALFORMED", "TEMPLATE_EMPTY"}  # noqa: PT017
        return
    assert 1 <= template.minutiae <= 64
    assert 0.0 <= similarity(template, template) <= 1.0


@pytest.fixture(scope="module")
def real_data() -> Path:
    folder = Path(os.environ.get("IDMESH_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real biometric records are not here: set IDMESH_TEST_DATA")
    return folder


def test_real_fingers_give_equal_templates_in_every_format(real_data: Path) -> None:
    paths = sorted(real_data.glob("fingerprint/fvc2002/*/*/*_1.iso"))
    assert len(paths) == 80
    for path in paths:
        record = read_fmr(path.read_bytes())
        original = FingerTemplate.from_record(path.read_bytes())
        assert same(original, FingerTemplate.from_record(write_fmr_2011(record)))
        coarse = ansi_angles(record)
        by_ansi = FingerTemplate.from_record(write_ansi_378(record))
        assert same(FingerTemplate.from_record(write_fmr(coarse)), by_ansi)
        assert angles_apart(original, by_ansi) <= 1


def test_ansi_templates_of_a_device_are_its_iso_ones(real_data: Path) -> None:
    paths = sorted(real_data.glob("mosip/fingerprints/*/*/AnsiTemplate.ansi"))
    assert len(paths) == 14
    for path in paths:
        ansi = FingerTemplate.from_record(path.read_bytes())
        iso = FingerTemplate.from_record((path.parent / "ISOTemplate.iso").read_bytes())
        assert (ansi.position, ansi.quality) == (iso.position, iso.quality)
        assert angles_apart(ansi, iso) <= 1


def angles_apart(one: FingerTemplate, other: FingerTemplate) -> int:
    """The most that two directions of one minutia differ, in 256ths; all else is equal."""
    assert np.array_equal(one.rows[:, [0, 1, 3]], other.rows[:, [0, 1, 3]])
    return int(np.abs((one.rows[:, 2] - other.rows[:, 2] + 128) % 256 - 128).max())
