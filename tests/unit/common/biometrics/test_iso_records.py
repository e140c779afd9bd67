"""ISO/IEC 19794 records and our own blocks."""

import math
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.biometrics import (
    BiometricsError,
    ElementType,
    FaceEmbedding,
    FingerMinutiaeRecord,
    FingerView,
    IrisCode,
    Minutia,
    RecordKind,
    read_face_embedding,
    read_fmr,
    read_iris_code,
    recognise,
    write_face_embedding,
    write_fmr,
    write_iris_code,
)

RECORD = FingerMinutiaeRecord(
    width=316,
    height=354,
    views=(
        FingerView(7, 80, (Minutia(138, 199, 35, 2, 80), Minutia(0, 353, 255, 1, 0)), 8, 1),
        FingerView(2, 40, ()),
    ),
)
IRIS = IrisCode(code=bytes(range(256)), mask=b"\xff" * 256, encoder="loggab1", eye=2)
FACE = FaceEmbedding(bytes(512), 512, "arc-r50", scale=0.0078125, quality=90)


def refused_fmr(data: bytes) -> str:
    with pytest.raises(BiometricsError) as refused:
        read_fmr(data)
    return refused.value.reason


def test_a_minutiae_record_is_written_and_read() -> None:
    assert read_fmr(write_fmr(RECORD)) == RECORD


def test_the_header_is_laid_out_as_the_standard_says() -> None:
    data = write_fmr(RECORD)
    assert data[:8] == b"FMR\x00 20\x00"
    assert struct.unpack(">IHHHHHBB", data[8:24]) == (len(data), 0, 316, 354, 197, 197, 2, 0)
    assert data[24:28] == bytes([7, 0x18, 80, 2])
    assert data[28:34] == bytes.fromhex("808a00c72350")


def test_extended_data_is_passed_over() -> None:
    view = replace(RECORD.views[0])
    data = bytearray(write_fmr(replace(RECORD, views=(view,))))
    data[-2:] = struct.pack(">H", 5) + b"extra"
    data[8:12] = struct.pack(">I", len(data))
    assert read_fmr(bytes(data)).views == (view,)


def test_trailing_bytes_are_refused_unless_allowed() -> None:
    data = write_fmr(RECORD) + b"\0"
    assert refused_fmr(data) == "LENGTH_MISMATCH"
    assert read_fmr(data, allow_trailing=True) == RECORD


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, b"FIR\0", "NOT_FMR"),
        (4, b"030\0", "NOT_FMR"),
        (8, b"\xff\xff\xff\xff", "RECORD_TRUNCATED"),
        (8, b"\0\0\0\x18", "LENGTH_MISMATCH"),
        (14, b"\0\0", "RESOLUTION_INVALID"),
        (18, b"\0\0", "RESOLUTION_INVALID"),
        (22, b"\xff", "TOO_MANY_VIEWS"),
        (22, b"\x01", "LENGTH_MISMATCH"),
        (22, b"\x03", "RECORD_TRUNCATED"),
        (24, b"\x0b", "POSITION_UNKNOWN"),
        (26, b"\x65", "QUALITY_INVALID"),
        (27, b"\xff", "RECORD_TRUNCATED"),
        (28, b"\xc0", "MINUTIA_INVALID"),
        (28, b"\x9f\xff", "MINUTIA_OUTSIDE_IMAGE"),
        (30, b"\x3f\xff", "MINUTIA_OUTSIDE_IMAGE"),
        (33, b"\x65", "MINUTIA_INVALID"),
    ],
)
def test_a_malformed_record_is_refused_with_a_reason(
    offset: int, value: bytes, reason: str
) -> None:
    data = bytearray(write_fmr(RECORD))
    data[offset : offset + len(value)] = value
    assert refused_fmr(bytes(data)) == reason


def test_a_record_cut_short_anywhere_is_refused() -> None:
    data = write_fmr(RECORD)
    for length in range(len(data)):
        with pytest.raises(BiometricsError):
            read_fmr(data[:length])


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, width=70_000),
        replace(RECORD, views=RECORD.views * 9),
        replace(RECORD, views=(FingerView(1, 1, (Minutia(16384, 0, 0, 1, 0),)),)),
        replace(RECORD, views=(FingerView(1, 1, (Minutia(1, 1, 256, 1, 0),)),)),
        replace(RECORD, views=(FingerView(1, 1, (Minutia(1, 1, 1, 1, 0),) * 256),)),
        replace(RECORD, views=(FingerView(1, 1, (), impression=16),)),
    ],
)
def test_numbers_that_do_not_fit_are_not_written(record: FingerMinutiaeRecord) -> None:
    with pytest.raises(ValueError, match=r"field|at most|bits"):
        write_fmr(record)


MINUTIAE = st.builds(
    Minutia,
    x=st.integers(0, 499),
    y=st.integers(0, 599),
    angle=st.integers(0, 255),
    kind=st.integers(0, 2),
    quality=st.integers(0, 100),
)
VIEWS = st.builds(
    FingerView,
    position=st.integers(0, 10),
    quality=st.integers(0, 100),
    minutiae=st.lists(MINUTIAE, max_size=30).map(tuple),
    impression=st.integers(0, 15),
    view=st.integers(0, 15),
)


@given(st.lists(VIEWS, max_size=4).map(tuple))
def test_any_record_survives(views: tuple[FingerView, ...]) -> None:
    record = FingerMinutiaeRecord(500, 600, views, 197, 200, 17)
    assert read_fmr(write_fmr(record)) == record


@given(st.binary(max_size=200), st.booleans())
def test_arbitrary_bytes_are_a_record_or_a_biometrics_error(data: bytes, magic: bool) -> None:
    data = b"FMR\x00 20\x00" + data if magic else data
    for read in (read_fmr, recognise, read_iris_code, read_face_embedding):
        with suppress(BiometricsError):
            read(data)


@given(st.lists(st.tuples(st.integers(0, 43), st.integers(0, 255)), max_size=5))
def test_a_mutated_record_is_read_or_is_a_biometrics_error(
    changes: list[tuple[int, int]],
) -> None:
    data = bytearray(write_fmr(RECORD))
    for position, value in changes:
        data[position] = value
    with suppress(BiometricsError):
        read_fmr(bytes(data), allow_trailing=True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "NOT_ISO"),
        (b"JPEG0000", "NOT_ISO"),
        (b"FIR\x00099\x00\0\0\0\x10", "VERSION_UNKNOWN"),
        (b"FIR\x00020\x00\0\0", "RECORD_TRUNCATED"),
        (b"FIR\x00020\x00\0\0\1\0", "RECORD_TRUNCATED"),
        (b"IIR\x00020\x00\0\0\0\x0c\0", "LENGTH_MISMATCH"),
        (b"FAC\x00030\x00\0\0\0\x04", "LENGTH_MISMATCH"),
    ],
)
def test_a_header_that_does_not_hold_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BiometricsError) as refused:
        recognise(data)
    assert refused.value.reason == reason


def test_the_length_of_finger_images_of_2005_has_six_bytes() -> None:
    data = b"FIR\x00010\x00" + (20).to_bytes(6, "big") + bytes(6)
    assert recognise(data).declared_bytes == 20


def test_an_iris_code_is_written_and_read() -> None:
    block = write_iris_code(IRIS)
    assert len(block) == 20 + 512
    assert block[:12] == b"IDMI\x01\x02\x02\x08\x00\x80\xff\x00"
    assert read_iris_code(block) == IRIS


def test_a_face_embedding_is_written_and_read() -> None:
    block = write_face_embedding(FACE)
    assert len(block) == 24 + 512
    assert block[:9] == b"IDMF\x01\x01\x02\x00\x5a"
    assert read_face_embedding(block) == FACE


def test_an_embedding_of_floats_keeps_them() -> None:
    elements = struct.pack("<3f", 0.5, -0.25, 1.0)
    face = FaceEmbedding(elements, 3, "x", ElementType.FLOAT32)
    assert read_face_embedding(write_face_embedding(face)).values() == (0.5, -0.25, 1.0)


def test_bytes_of_an_embedding_are_scaled() -> None:
    face = FaceEmbedding(bytes([1, 255, 128]), 3, "x", scale=0.5)
    assert face.values() == (0.5, -0.5, -64.0)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (replace(IRIS, code=b"short"), "LENGTH_MISMATCH"),
        (replace(IRIS, bands=0), "DIMENSIONS_INVALID"),
        (replace(IRIS, angles=65536), "DIMENSIONS_INVALID"),
        (replace(IRIS, bands=255, rows=255), "DIMENSIONS_INVALID"),
        (replace(IRIS, eye=3), "POSITION_UNKNOWN"),
        (replace(IRIS, quality=101), "QUALITY_INVALID"),
        (replace(IRIS, encoder=""), "ENCODER_INVALID"),
        (replace(IRIS, encoder="ninechars"), "ENCODER_INVALID"),
        (replace(FACE, dimensions=511), "LENGTH_MISMATCH"),
        (replace(FACE, dimensions=0), "DIMENSIONS_INVALID"),
        (replace(FACE, scale=0.0), "VALUE_INVALID"),
        (replace(FACE, scale=math.nan), "VALUE_INVALID"),
        (replace(FACE, scale=1e300), "VALUE_INVALID"),
        (replace(FACE, quality=300), "VALUE_INVALID"),
        (
            FaceEmbedding(struct.pack("<f", math.inf), 1, "x", ElementType.FLOAT32),
            "VALUE_INVALID",
        ),
    ],
)
def test_a_template_that_would_not_be_read_is_not_written(
    template: IrisCode | FaceEmbedding, reason: str
) -> None:
    with pytest.raises(BiometricsError) as refused:
        if isinstance(template, IrisCode):
            write_iris_code(template)
        else:
            write_face_embedding(template)
    assert refused.value.reason == reason


def test_a_block_of_a_later_version_is_refused() -> None:
    block = bytearray(write_iris_code(IRIS))
    block[4] = 2
    with pytest.raises(BiometricsError) as refused:
        read_iris_code(bytes(block))
    assert refused.value.reason == "VERSION_UNKNOWN"


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("mosip/fingerprints/*/*/ISOTemplate.iso", 14), ("fingerprint/fvc2002/*/*/*.iso", 640)],
)
def test_every_real_template_is_read_and_written_byte_for_byte(
    real_data: Path, pattern: str, count: int
) -> None:
    paths = sorted(real_data.glob(pattern))
    assert len(paths) == count
    for path in paths:
        data = path.read_bytes()
        record = read_fmr(data)
        assert write_fmr(record) == data
        assert record.views[0].minutiae


def test_an_ansi_template_is_not_taken_for_an_iso_one(real_data: Path) -> None:
    for path in sorted(real_data.glob("mosip/fingerprints/*/*/AnsiTemplate.ansi")):
        with pytest.raises(BiometricsError):
            read_fmr(path.read_bytes())


def test_every_record_of_a_capture_device_is_recognised(real_data: Path) -> None:
    paths = sorted(real_data.glob("mosip/mds-profile/**/*.iso"))
    assert paths
    for path in paths:
        kind = recognise(path.read_bytes(), allow_trailing=True).kind
        face, iris = "Face" in path.name or "Exception" in path.name, "Iris" in path.name
        assert (kind is RecordKind.FACE_IMAGE) == face
        assert (kind is RecordKind.IRIS_IMAGE) == iris
