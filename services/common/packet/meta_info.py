"""packet_meta_info.json: how, by whom and with what a registration was captured.

Source: mosip/documentation, docs/_files/packet-structure; mosip/packet-manager, PacketWriterImpl.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from services.common.mosip_wire.strict_json import dumps
from services.common.packet.fields import Fields, format_instant
from services.common.packet.limits import DEFAULT_LIMITS, Limits

FILE_NAME = "packet_meta_info.json"
REASON = "META_INFO_MALFORMED"
BIOMETRIC_SEQUENCE = "biometricSequence"
DEMOGRAPHIC_SEQUENCE = "demographicSequence"
OTHER_FILES_SEQUENCE = "otherFiles"

Labels = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class HashSequence:
    """File names without extension, in the order in which they are hashed."""

    label: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DocumentNote:
    """What meta info says of a document: category, name, owner, reference number."""

    category: str | None
    name: str | None
    owner: str | None
    reference_number: str | None = None


@dataclass(frozen=True, slots=True)
class MetaInfo:
    """The content of packet_meta_info.json.

    Attributes:
        registration_id: the RID.
        created_at: UTC.
        labels: metaData: centerId, machineId, registrationType, creationDate and others.
        operations: operationsData: officerId, supervisorId and how they confirmed.
        documents: one note for each document of the registration, whatever its sub-packet.
        biometrics, exception_biometrics: by role, then by body part; as in the file.
        devices: capturedRegisteredDevices, as in the file.
        hash_sequence_1, hash_sequence_2: what packet_data_hash and packet_operations_hash cover.
    """

    registration_id: str
    created_at: datetime
    labels: Labels = field(default_factory=dict)
    operations: Labels = field(default_factory=dict)
    documents: tuple[DocumentNote, ...] = ()
    biometrics: Mapping[str, Any] = field(default_factory=dict)
    exception_biometrics: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[Mapping[str, Any], ...] = ()
    hash_sequence_1: tuple[HashSequence, ...] = ()
    hash_sequence_2: tuple[HashSequence, ...] = ()

    @classmethod
    def parse(cls, data: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Read the file.

        Raises:
            PacketError: META_INFO_MALFORMED, field `packet_meta_info.json:<key>`.
        """
        outer = Fields.parse(data, FILE_NAME, REASON, limits.json)
        if "identity" not in outer.document:
            outer.refuse("identity")
        fields = Fields(outer.object("identity"), FILE_NAME, REASON)
        return cls(
            registration_id=fields.text("registrationId", most=128),
            created_at=fields.instant("creationDate"),
            labels=_labels(fields, "metaData"),
            operations=_labels(fields, "operationsData"),
            documents=tuple(_document(item) for item in fields.objects("documents")),
            biometrics=fields.object("biometrics"),
            exception_biometrics=fields.object("exceptionBiometrics"),
            devices=tuple(item.document for item in fields.objects("capturedRegisteredDevices")),
            hash_sequence_1=_sequences(fields, "hashSequence1"),
            hash_sequence_2=_sequences(fields, "hashSequence2"),
        )

    def to_json(self) -> bytes:
        """Return the file."""
        identity = {
            "exceptionBiometrics": dict(self.exception_biometrics),
            "biometrics": dict(self.biometrics),
            "metaData": _pairs(self.labels),
            "documents": [
                {
                    "refNumber": note.reference_number,
                    "documentCategory": note.category,
                    "documentOwner": note.owner,
                    "documentName": note.name,
                }
                for note in self.documents
            ],
            "registrationId": self.registration_id,
            "capturedRegisteredDevices": [dict(device) for device in self.devices],
            "creationDate": format_instant(self.created_at),
            "operationsData": _pairs(self.operations),
            "hashSequence2": _sequences_json(self.hash_sequence_2),
            "hashSequence1": _sequences_json(self.hash_sequence_1),
        }
        return dumps({"identity": identity})


def _labels(fields: Fields, key: str) -> dict[str, str | None]:
    labels: dict[str, str | None] = {}
    for index, pair in enumerate(fields.objects(key)):
        label = pair.text("label", most=128)
        value = pair.document.get("value")
        if label in labels or not (value is None or isinstance(value, str)):
            fields.refuse(f"{key}[{index}]")
        labels[label] = value
    return labels


def _document(item: Fields) -> DocumentNote:
    return DocumentNote(
        category=item.optional_text("documentCategory"),
        name=item.optional_text("documentName"),
        owner=item.optional_text("documentOwner"),
        reference_number=item.optional_text("refNumber"),
    )


def _sequences(fields: Fields, key: str) -> tuple[HashSequence, ...]:
    sequences = []
    for item in fields.objects(key):
        names = item.document.get("value") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            item.refuse("value")
        sequences.append(HashSequence(item.text("label", most=128), tuple(names)))
    return tuple(sequences)


def _pairs(labels: Labels) -> list[dict[str, str | None]]:
    return [{"label": label, "value": value} for label, value in labels.items()]


def _sequences_json(sequences: tuple[HashSequence, ...]) -> list[dict[str, object]]:
    return [{"label": item.label, "value": list(item.names)} for item in sequences]
