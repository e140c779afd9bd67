"""What is captured of a person who registers."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from services.common.biometrics import (
    FACE_EMBEDDING,
    FINGER_MINUTIAE,
    IRIS_CODE,
    BiometricRecord,
    Bir,
    Quality,
    RegistryId,
    finger_subtype,
    iris_subtype,
    write_cbeff,
)
from services.common.packet import Document

Modality = Literal["finger", "iris", "face"]

_QUALITY_ALGORITHM = RegistryId("idmesh", "template")
_TYPES: Mapping[Modality, tuple[str, RegistryId]] = {
    "finger": ("Finger", FINGER_MINUTIAE),
    "iris": ("Iris", IRIS_CODE),
    "face": ("Face", FACE_EMBEDDING),
}


@dataclass(frozen=True)
class Capture:
    """One template.

    position: finger 1 to 10 (ISO/IEC 19794-2), eye 1 right or 2 left, 0 for a face. data: an
    ISO/IEC 19794-2 record, or a block of services.common.biometrics. quality: 0 to 100.
    """

    modality: Modality
    position: int
    data: bytes = field(repr=False)
    quality: int = 80


class Template(Protocol):
    """What cbeff_of takes: a Capture, or anything with its attributes."""

    @property
    def modality(self) -> Modality:
        """finger, iris or face."""
        ...

    @property
    def position(self) -> int:
        """As in Capture."""
        ...

    @property
    def data(self) -> bytes:
        """As in Capture."""
        ...

    @property
    def quality(self) -> int:
        """0 to 100."""
        ...


@dataclass(frozen=True)
class Applicant:
    """What goes into the packet.

    fields: values of ID.json by the schema's names, IDSchemaVersion left out. documents and
    biometrics (CBEFF documents) by field name too.
    """

    fields: Mapping[str, Any] = field(repr=False)
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False)
    biometrics: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    officer_id: str = "officer"
    supervisor_id: str = "supervisor"


def cbeff_of(captures: Iterable[Template], *, created_at: datetime | None = None) -> bytes:
    """Return the CBEFF document of one person's captures.

    Raises:
        BiometricsError: a capture's position does not exist.
    """
    at = created_at or datetime.now(UTC)
    return write_cbeff(BiometricRecord(tuple(_bir(capture, at) for capture in captures)))


def _bir(capture: Template, at: datetime) -> Bir:
    bio_type, registry_id = _TYPES[capture.modality]
    subtype = ""
    if capture.modality == "finger":
        subtype = finger_subtype(capture.position)
    elif capture.modality == "iris":
        subtype = iris_subtype(capture.position)
    return Bir(
        type=bio_type,
        subtype=subtype,
        format=registry_id,
        bdb=capture.data,
        purpose="Enroll",
        level="Processed",
        quality=Quality(_QUALITY_ALGORITHM, capture.quality),
        index=str(uuid.uuid4()),
        created_at=at,
    )
