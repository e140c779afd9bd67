"""From what was captured to a sealed packet, in memory; nothing in clear touches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jsonschema
from cryptography.hazmat.primitives.asymmetric import rsa

from services.common.biometrics import BiometricsError, body_part, read_cbeff
from services.common.ids import PacketId, Rid
from services.common.packet import (
    SUB_PACKETS,
    DocumentNote,
    MetaInfo,
    Registration,
    SubPacketDraft,
    build_container,
    build_sub_packet,
    seal,
    sign_sub_packet,
)
from services.registration_client.applicant import Applicant
from services.registration_client.settings import StationSettings

SOURCE = "REGISTRATION_CLIENT"
CLIENT_VERSION = "0.1.0"
# By fieldCategory; MOSIP's mapping. What the schema does not place goes with the identity.
_SUB_PACKET = {"evidence": "evidence", "optional": "optional"}


class PacketRefusedError(ValueError):
    """The captured data does not make a packet that the server would take.

    Attributes:
        problems: one line each; field names and rules, never values.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class SealedPacket:
    """A packet as it is uploaded."""

    registration_id: str
    packet_id: str
    process: str
    language: str
    supervisor_approved: bool
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> bytes:
        """The digest to announce."""
        return hashlib.sha256(self.content).digest()

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)


def build_packet(
    applicant: Applicant,
    *,
    settings: StationSettings,
    machine_key: rsa.RSAPrivateKey,
    rid: Rid,
    process: str = "NEW",
    language: str = "eng",
    supervisor_approved: bool = True,
    created_at: datetime | None = None,
) -> SealedPacket:
    """Check, sign and seal what was captured.

    Raises:
        PacketRefusedError: it breaks the identity schema, or is larger than the server takes.
    """
    at = (created_at or datetime.now(UTC)).replace(microsecond=0)
    check_applicant(applicant, settings)
    meta_info = _meta_info(applicant, settings, rid, process, at)
    names = {_sub_packet_of(settings.schema, name) for name in _all_fields(applicant)} | {"id"}
    sub_packets: dict[str, bytes] = {
        name: build_sub_packet(_draft(applicant, settings, name, at, str(rid)), meta_info)
        for name in SUB_PACKETS
        if name in names
    }
    registration = Registration(
        registration_id=str(rid),
        source=SOURCE,
        process=process,
        schema_version=settings.schema_version,
        created_at=at,
        reference_id=settings.reference_id,
    )
    certificate = settings.x509()
    container = build_container(
        registration,
        sub_packets,
        certificate,
        lambda plain: sign_sub_packet(plain, machine_key),
    )
    packet = SealedPacket(
        registration_id=str(rid),
        packet_id=str(PacketId.of(rid, at)),
        process=process,
        language=language,
        supervisor_approved=supervisor_approved,
        content=seal(container, certificate),
    )
    if packet.size > settings.max_packet_bytes:
        raise PacketRefusedError(
            [f"the packet has {packet.size} bytes; at most {settings.max_packet_bytes} are taken"]
        )
    return packet


def check_applicant(applicant: Applicant, settings: StationSettings) -> None:
    """Check the captured data against the identity schema, as the server will.

    Raises:
        PacketRefusedError: with every problem.
    """
    problems: list[str] = []
    names = list(_all_fields(applicant))
    problems += [f"{name}: given twice" for name in sorted(set(names)) if names.count(name) > 1]
    identity: dict[str, Any] = {"IDSchemaVersion": settings.schema_version, **applicant.fields}
    for name in applicant.biometrics:
        identity[name] = {"format": "cbeff", "version": 1, "value": f"{name}_bio_CBEFF"}
    for name, document in applicant.documents.items():
        identity[name] = {"format": document.format, "type": document.type, "value": name}
    validator = jsonschema.Draft7Validator(settings.schema)
    for error in validator.iter_errors({"identity": identity}):
        where = "/".join(str(part) for part in error.absolute_path)
        if error.validator in ("required", "additionalProperties"):
            # These messages name fields only.
            problems.append(f"{where}: {error.message}")
        else:
            problems.append(f"{where}: breaks the rule {error.validator!r}")
    problems += _broken_patterns(applicant.fields, settings.schema)
    if problems:
        raise PacketRefusedError(problems)


def _broken_patterns(fields: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Check MOSIP's own keyword, validators, which JSON Schema does not know."""
    problems = []
    rules = schema["properties"]["identity"]["properties"]
    for name, value in fields.items():
        texts = [value] if isinstance(value, str) else []
        if isinstance(value, list):
            texts = [part["value"] for part in value if isinstance(part, dict) and "value" in part]
        for rule in rules.get(name, {}).get("validators", []):
            checker = jsonschema.Draft7Validator({"pattern": rule["validator"]})
            if rule.get("type") == "regex" and not all(map(checker.is_valid, texts)):
                problems.append(f"identity/{name}: is not of the form that the schema asks for")
    return problems


def _all_fields(applicant: Applicant) -> tuple[str, ...]:
    return (*applicant.fields, *applicant.documents, *applicant.biometrics)


def _sub_packet_of(schema: Mapping[str, Any], name: str) -> str:
    rules = schema["properties"]["identity"]["properties"].get(name, {})
    return _SUB_PACKET.get(rules.get("fieldCategory", "none"), "id")


def _draft(
    applicant: Applicant, settings: StationSettings, sub_packet: str, at: datetime, rid: str
) -> SubPacketDraft:
    def here(name: str) -> bool:
        return _sub_packet_of(settings.schema, name) == sub_packet

    audits = None
    if sub_packet == "id":
        audits = [
            {
                "eventName": "PACKET_CREATED",
                "actionTimeStamp": at.isoformat(),
                "applicationName": "idmesh registration client",
                "sessionUserId": applicant.officer_id,
                "id": rid,
                "idType": "REGISTRATION_ID",
            }
        ]
    return SubPacketDraft(
        schema_version=settings.schema_version,
        fields={name: value for name, value in applicant.fields.items() if here(name)},
        biometrics={name: cbeff for name, cbeff in applicant.biometrics.items() if here(name)},
        documents={name: each for name, each in applicant.documents.items() if here(name)},
        audits=audits,
    )


def _captures(applicant: Applicant) -> dict[str, dict[str, Any]]:
    """Return what meta info says of each capture, by body part."""
    parts: dict[str, dict[str, Any]] = {}
    for name, cbeff in applicant.biometrics.items():
        try:
            segments = read_cbeff(cbeff).segments
            for index, bir in enumerate(segments):
                parts[body_part(bir.type, bir.subtype)] = {
                    "birindex": bir.index or str(index),
                    "numRetry": 1,
                    "forceCaptured": False,
                }
        except BiometricsError as error:
            raise PacketRefusedError([f"identity/{name}: {error}"]) from error
    return parts


def _meta_info(
    applicant: Applicant,
    settings: StationSettings,
    rid: Rid,
    process: str,
    at: datetime,
) -> MetaInfo:
    return MetaInfo(
        registration_id=str(rid),
        created_at=at,
        labels={
            "creationDate": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "centerId": settings.centre_id,
            "machineId": settings.machine_id,
            "registrationId": str(rid),
            "registrationType": process,
            "Registration Client Version Number": CLIENT_VERSION,
        },
        operations={
            "officerId": applicant.officer_id,
            "officerPassword": "true",
            "supervisorId": applicant.supervisor_id,
            "supervisorPassword": "true",
        },
        documents=tuple(
            DocumentNote(document.type, name, "Applicant", document.reference_number)
            for name, document in applicant.documents.items()
        ),
        biometrics={"applicant": _captures(applicant)},
    )
