"""Whatever the bytes: biometric readers return, or raise BiometricsError; what reads, writes."""

from contextlib import suppress

from services.common.biometrics import (
    BiometricRecord,
    BiometricsError,
    Bir,
    FaceEmbedding,
    FingerMinutiaeRecord,
    FingerView,
    IrisCode,
    Minutia,
    read_cbeff,
    read_face_embedding,
    read_finger_minutiae,
    read_fmr,
    read_iris_code,
    recognise,
    write_ansi_378,
    write_cbeff,
    write_face_embedding,
    write_fmr,
    write_fmr_2011,
    write_iris_code,
)
from tests.fuzz.times import AT


def seeds() -> list[bytes]:
    """Return inputs that reach deep, to start from."""
    finger = FingerView(7, 80, (Minutia(1, 2, 3, 1, 50),))
    bir = Bir("Finger", "Left Thumb", None, b"x", created_at=AT, others={"EXCEPTION": "false"})
    return [
        write_fmr(FingerMinutiaeRecord(300, 400, (finger, finger))),
        write_fmr_2011(FingerMinutiaeRecord(300, 400, (finger, finger))),
        write_ansi_378(FingerMinutiaeRecord(300, 400, (finger, finger))),
        write_iris_code(IrisCode(bytes(256), bytes(256), "x")),
        write_face_embedding(FaceEmbedding(bytes(8), 8, "x")),
        write_cbeff(BiometricRecord((bir,), {"CONFIGURED": "face"})),
        b"FIR\x00020\x00\0\0\0\x10" + bytes(4),
    ]


def fuzz_one(data: bytes) -> None:
    """Read data as every kind of record; write again what was read."""
    with suppress(BiometricsError):
        recognise(data, allow_trailing=True)
    with suppress(BiometricsError):
        record = read_fmr(data)
        assert read_fmr(write_fmr(record)) == record
    with suppress(BiometricsError):
        for record in read_finger_minutiae(data):
            assert record.views
    with suppress(BiometricsError):
        code = read_iris_code(data)
        assert write_iris_code(code) == data
    with suppress(BiometricsError):
        embedding = read_face_embedding(data)
        assert write_face_embedding(embedding) == data
    with suppress(BiometricsError):
        document = read_cbeff(data)
        assert len(read_cbeff(write_cbeff(document)).segments) == len(document.segments)
