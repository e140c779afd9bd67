"""A biometric information record of CBEFF, as MOSIP fills it.

Source: ISO/IEC 19785-3 ed. 2 with MOSIP's `others`; mosip/mosip-config, mosip-cbeff.xsd.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

BIO_TYPES: Final = frozenset(
    {
        "Scent",
        "DNA",
        "Ear",
        "Face",
        "Finger",
        "Foot",
        "HandGeometry",
        "Vein",
        "Iris",
        "Retina",
        "Voice",
        "Gait",
        "Keystroke",
        "LipMovement",
        "SignatureSign",
        "Palm",
        "BackOfHand",
        "Wrist",
        "ExceptionPhoto",
    }
)
SUBTYPE_WORDS: Final = frozenset(
    {
        "Left",
        "Right",
        "Thumb",
        "IndexFinger",
        "MiddleFinger",
        "RingFinger",
        "LittleFinger",
        "LeftVein",
        "RightVein",
        "Palm",
        "BackOfHand",
        "Wrist",
        "Reserved1",
        "Reserved2",
        "UNKNOWN",
    }
)
LEVELS: Final = frozenset({"Raw", "Intermediate", "Processed"})
PURPOSES: Final = frozenset(
    {"Verify", "Identify", "Enroll", "EnrollVerify", "EnrollIdentify", "Audit"}
)


@dataclass(frozen=True, slots=True)
class RegistryId:
    """An entry of a patron's registry: organisation and type, both text."""

    organization: str
    type: str


# MOSIP writes its own name where ISO has the patron's number, 257.
FINGER_IMAGE: Final = RegistryId("Mosip", "7")
FINGER_MINUTIAE: Final = RegistryId("Mosip", "2")
FACE_IMAGE: Final = RegistryId("Mosip", "8")
IRIS_IMAGE: Final = RegistryId("Mosip", "9")
# The blocks of services.common.biometrics.blocks.
IRIS_CODE: Final = RegistryId("idmesh", "iris-code-1")
FACE_EMBEDDING: Final = RegistryId("idmesh", "face-embedding-1")


@dataclass(frozen=True, slots=True)
class Quality:
    """What measured the quality, and its score of 0 to 100; None where measuring failed."""

    algorithm: RegistryId
    score: int | None


@dataclass(frozen=True, slots=True)
class Bir:
    """One capture or template.

    Attributes:
        type: one of BIO_TYPES.
        subtype: "Left IndexFinger", "Right", "" for a face; "UNKNOWN" in authentication.
        format: of the data block; None where absent.
        bdb: the data block; empty for an exception.
        sb: the security block, in MOSIP the capture device's JWS; empty where there is none.
        purpose, level: one of PURPOSES, LEVELS; None where absent.
        others: MOSIP's additions: EXCEPTION, RETRIES, FORCE_CAPTURED, SDK_SCORE, PAYLOAD,
            SPEC_VERSION, in the order of the document.
    """

    type: str
    subtype: str
    format: RegistryId | None
    bdb: bytes = field(repr=False)
    sb: bytes = field(default=b"", repr=False)
    purpose: str | None = "Enroll"
    level: str | None = "Raw"
    quality: Quality | None = None
    index: str | None = None
    created_at: datetime | None = None
    others: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_exception(self) -> bool:
        """Whether the person has no such finger or eye, or it cannot be captured."""
        return self.others.get("EXCEPTION", "").lower() == "true"


@dataclass(frozen=True, slots=True)
class BiometricRecord:
    """The captures of one person: a CBEFF document. others as in Bir, for instance CONFIGURED."""

    segments: tuple[Bir, ...]
    others: Mapping[str, str] = field(default_factory=dict)
