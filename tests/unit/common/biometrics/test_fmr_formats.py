"""Finger minutiae records as others write them: the bytes are where the standards have them."""

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.common.biometrics import (
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    write_ansi_378,
    write_fmr_2011,
)

VIEW = FingerView(7, 80, (Minutia(138, 199, 64, 2, 80), Minutia(0, 353, 255, 1, 0)), 8, 1)
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
