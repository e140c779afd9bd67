"""Biometric records: CBEFF documents, ISO/IEC 19794 records, our own template blocks.

Pure reading and writing. Pictures are not decoded and nothing is compared here. Whatever is
wrong with a record is a BiometricsError with a reason and no personal data.
"""

from services.common.biometrics.bir import (
    FACE_EMBEDDING,
    FACE_IMAGE,
    FINGER_IMAGE,
    FINGER_MINUTIAE,
    IRIS_CODE,
    IRIS_IMAGE,
    BiometricRecord,
    Bir,
    Quality,
    RegistryId,
)
from services.common.biometrics.blocks import (
    ElementType,
    FaceEmbedding,
    IrisCode,
    read_face_embedding,
    read_iris_code,
    write_face_embedding,
    write_iris_code,
)
from services.common.biometrics.captures import CapturedTemplate, Captures, sort_captures
from services.common.biometrics.cbeff_reader import read_cbeff
from services.common.biometrics.cbeff_writer import write_cbeff
from services.common.biometrics.errors import BiometricsError
from services.common.biometrics.fmr import (
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    read_fmr,
    write_fmr,
)
from services.common.biometrics.fmr_formats import write_ansi_378, write_fmr_2011
from services.common.biometrics.fmr_readers import is_ansi_378, read_finger_minutiae
from services.common.biometrics.iso_headers import IsoRecord, RecordKind, recognise
from services.common.biometrics.positions import (
    FINGER_SUBTYPES,
    IRIS_SUBTYPES,
    body_part,
    finger_position,
    finger_subtype,
    iris_position,
    iris_subtype,
)
from services.common.biometrics.xml_tree import XmlLimits

__all__ = [
    "FACE_EMBEDDING",
    "FACE_IMAGE",
    "FINGER_IMAGE",
    "FINGER_MINUTIAE",
    "FINGER_SUBTYPES",
    "IRIS_CODE",
    "IRIS_IMAGE",
    "IRIS_SUBTYPES",
    "BiometricRecord",
    "BiometricsError",
    "Bir",
    "CapturedTemplate",
    "Captures",
    "ElementType",
    "FaceEmbedding",
    "FingerMinutiaeRecord",
    "FingerView",
    "IrisCode",
    "IsoRecord",
    "Minutia",
    "Quality",
    "RecordKind",
    "RegistryId",
    "XmlLimits",
    "body_part",
    "finger_position",
    "finger_subtype",
    "iris_position",
    "iris_subtype",
    "is_ansi_378",
    "read_cbeff",
    "read_face_embedding",
    "read_finger_minutiae",
    "read_fmr",
    "read_iris_code",
    "recognise",
    "sort_captures",
    "write_ansi_378",
    "write_cbeff",
    "write_face_embedding",
    "write_fmr",
    "write_fmr_2011",
    "write_iris_code",
]
