"""A packet is taken out of its two seals and checked against all that it claims."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from services.common.errors import Internal, InvalidArgument, NotFound
from services.common.packet import (
    DEFAULT_LIMITS,
    Container,
    Limits,
    PacketError,
    SealedParts,
    SubPacket,
    open_sealed,
    parse_sealed,
    read_container,
    read_sub_packet,
    verify_hashes,
    verify_sub_packet,
)
from services.processing.domain.flow import go_on
from services.processing.domain.packet import OpenedPacket, PacketRefusedError, refused
from services.processing.domain.registration import Received, Registration
from services.processing.domain.schema import (
    SCHEMA_INVALID,
    IdSchema,
    SchemaUnusableError,
    check_identity,
    compile_schema,
)
from services.processing.domain.templates import check_cbeff, templates_of
from services.processing.ports import Keys, Machine, Masterdata, PacketKey, Packets
from services.processing.usecases.work import Result, Work

_MAIN = "id"
# So little is hashed sooner than another thread begins with it.
_AT_ONCE_BYTES = 128 * 1024
# Clocks of machines are set by people.
_CLOCK_TOLERANCE = timedelta(minutes=5)
# Packets tell the second that they were made in; a machine may be registered in its course.
_PACKET_TIME = timedelta(seconds=1)

HASH_MISMATCH = "RPR-PUM-PACKET-006"
DECRYPT_FAILED = "KER-PUT-003"
MISMATCH = "RPR-PVM-FAILED-010"
SUPERVISOR_REJECTED = "RPR-PVM-FAILED-011"
CONSENT_WITHHELD = "RPR-PVM-FAILED-017"
DOCUMENT_MISSING = "RPR-PVM-FAILED-005"
BIOMETRIC_MISSING = "RPR-PVM-FAILED-004"
MACHINE_UNKNOWN = "RPR-CMD-FAILED-004"
MACHINE_INACTIVE = "RPR-CMD-FAILED-005"
TIMESTAMP = "RPR-CMD-FAILED-011"


@dataclass(frozen=True, slots=True)
class OpeningRules:
    """How packets are read.

    mandatory: see schema.check_identity. biometrics_field: the applicant's own captures.
    """

    mandatory: tuple[str, ...] = ()
    biometrics_field: str = "individualBiometrics"
    limits: Limits = DEFAULT_LIMITS


class PacketOpener:
    """Opens stored packets."""

    def __init__(
        self, packets: Packets, masterdata: Masterdata, keys: Keys, rules: OpeningRules
    ) -> None:
        self._packets = packets
        self._masterdata = masterdata
        self._keys = keys
        self._rules = rules

    async def __call__(self, registration: Registration) -> OpenedPacket:
        """Return the packet in clear.

        Raises:
            PacketRefusedError: it cannot be used.
        """
        received = registration.received
        if not received.supervisor_approved:
            raise PacketRefusedError("SUPERVISOR_REJECTED", SUPERVISOR_REJECTED, rejected=True)
        try:
            return await self._open(received)
        except PacketError as error:
            raise refused(error) from error

    async def _open(self, received: Received) -> OpenedPacket:
        sealed = await self._download(received)
        outer = parse_sealed(sealed)
        key = await self._key_of(outer, received)
        [session_key] = await self._unwrap(key, [outer.wrapped_key])
        container = await asyncio.to_thread(self._read_container, outer, session_key, received)
        machine = await self._machine(received, container.sub_packets[_MAIN].metadata.created_at)
        parts = {name: parse_sealed(sub.sealed) for name, sub in container.sub_packets.items()}
        if any(part.thumbprint != outer.thumbprint for part in parts.values()):
            raise PacketRefusedError("PACKET_KEY_MIXED", DECRYPT_FAILED)
        wrapped = [part.wrapped_key for part in parts.values()]
        session_keys = dict(zip(parts, await self._unwrap(key, wrapped), strict=True))
        contents = await asyncio.to_thread(
            self._read_sub_packets, container, parts, session_keys, machine
        )
        schema = await self._schema(contents[_MAIN].schema_version)
        return await asyncio.to_thread(self._check, received, container, contents, schema)

    async def _download(self, received: Received) -> bytes:
        sealed = await self._packets.download(received.packet_id, max_bytes=received.size)
        if len(sealed) != received.size or await _sha256(sealed) != received.sha256:
            raise PacketRefusedError("PACKET_HASH_MISMATCH", HASH_MISMATCH)
        return sealed

    async def _key_of(self, outer: SealedParts, received: Received) -> PacketKey:
        try:
            key = await self._masterdata.packet_key(outer.thumbprint)
        except NotFound as error:
            raise PacketRefusedError("PACKET_KEY_UNKNOWN", DECRYPT_FAILED) from error
        if (key.centre_id, key.machine_id) != (received.centre_id, received.machine_id):
            raise PacketRefusedError("PACKET_KEY_OF_ANOTHER_MACHINE", DECRYPT_FAILED)
        return key

    async def _unwrap(self, key: PacketKey, wrapped: Sequence[bytes]) -> list[bytes]:
        try:
            return await self._keys.unwrap(key, wrapped)
        except InvalidArgument as error:
            raise PacketRefusedError("PACKET_DECRYPT_FAILED", DECRYPT_FAILED) from error

    def _read_container(
        self, outer: SealedParts, session_key: bytes, received: Received
    ) -> Container:
        container = read_container(open_sealed(outer, session_key), self._rules.limits)
        claimed = (container.registration_id, container.process)
        if claimed != (received.registration_id, received.process):
            raise PacketRefusedError("PACKET_REGISTRATION_MISMATCH", MISMATCH)
        return container

    async def _machine(self, received: Received, created_at: datetime) -> Machine:
        if created_at > received.received_at + _CLOCK_TOLERANCE:
            raise PacketRefusedError("PACKET_FROM_THE_FUTURE", TIMESTAMP)
        as_of = min(created_at + _PACKET_TIME, received.received_at)
        try:
            machine = await self._masterdata.machine(received.machine_id, as_of)
        except NotFound as error:
            raise PacketRefusedError("MACHINE_UNKNOWN", MACHINE_UNKNOWN) from error
        if machine.centre_id != received.centre_id:
            raise PacketRefusedError("MACHINE_OF_ANOTHER_CENTRE", MACHINE_UNKNOWN)
        if not machine.operational:
            raise PacketRefusedError("MACHINE_NOT_OPERATIONAL", MACHINE_INACTIVE)
        return machine

    def _read_sub_packets(
        self,
        container: Container,
        parts: Mapping[str, SealedParts],
        session_keys: Mapping[str, bytes],
        machine: Machine,
    ) -> dict[str, SubPacket]:
        public_key = load_der_public_key(machine.signing_public_key)
        if not isinstance(public_key, rsa.RSAPublicKey):
            raise Internal("MACHINE_KEY_UNUSABLE", "The machine's key is no RSA key.")
        contents = {}
        for name, sub in container.sub_packets.items():
            plain = open_sealed(parts[name], session_keys[name])
            verify_sub_packet(sub.metadata, plain, sub.sealed, public_key)
            content = read_sub_packet(plain, self._rules.limits)
            verify_hashes(content)
            if content.schema_version != sub.metadata.schema_version:
                raise PacketRefusedError("PACKET_SCHEMA_VERSION_MISMATCH", MISMATCH)
            contents[name] = content
        if len({content.schema_version for content in contents.values()}) != 1:
            raise PacketRefusedError("PACKET_SCHEMA_VERSION_MISMATCH", MISMATCH)
        return contents

    async def _schema(self, version: float) -> IdSchema:
        if version <= 0:
            # No schema has it; masterdata would take 0 for "the newest".
            raise PacketRefusedError("ID_SCHEMA_UNKNOWN", SCHEMA_INVALID)
        try:
            document = await self._masterdata.id_schema(version)
        except NotFound as error:
            raise PacketRefusedError("ID_SCHEMA_UNKNOWN", SCHEMA_INVALID) from error
        try:
            return compile_schema(document)
        except SchemaUnusableError as error:
            raise Internal("ID_SCHEMA_UNUSABLE", "The identity schema cannot be used.") from error

    def _check(
        self,
        received: Received,
        container: Container,
        contents: Mapping[str, SubPacket],
        schema: IdSchema,
    ) -> OpenedPacket:
        identity = _identity(contents)
        try:
            check_identity(identity, schema, self._rules.mandatory)
        except SchemaUnusableError as error:
            raise Internal("ID_SCHEMA_UNUSABLE", "The identity schema cannot be used.") from error
        if identity.get("consent") == "N":
            raise PacketRefusedError("CONSENT_WITHHELD", CONSENT_WITHHELD)
        _check_meta_info(received, contents)
        _check_files(contents)
        captures = {
            field: xml for content in contents.values() for field, xml in content.biometrics.items()
        }
        for field, xml in captures.items():
            if field != self._rules.biometrics_field:
                check_cbeff(xml)
        own = captures.get(self._rules.biometrics_field)
        return OpenedPacket(
            identity=identity,
            schema_version=contents[_MAIN].schema_version,
            templates=() if own is None else templates_of(own),
            created_at=container.sub_packets[_MAIN].metadata.created_at,
        )


async def _sha256(sealed: bytes) -> bytes:
    if len(sealed) <= _AT_ONCE_BYTES:
        return hashlib.sha256(sealed).digest()
    return await asyncio.to_thread(lambda: hashlib.sha256(sealed).digest())


def _identity(contents: Mapping[str, SubPacket]) -> dict[str, Any]:
    """Return the identity object; of a field that several sub-packets repeat, the main one's."""
    identity: dict[str, Any] = {}
    for name in sorted(contents, key=lambda name: (name != _MAIN, name)):
        for field, value in json.loads(contents[name].files["ID.json"])["identity"].items():
            if value is not None:
                identity.setdefault(field, value)
    return identity


def _check_meta_info(received: Received, contents: Mapping[str, SubPacket]) -> None:
    for content in contents.values():
        meta = content.meta_info
        claimed = (
            meta.registration_id,
            meta.labels.get("centerId", received.centre_id),
            meta.labels.get("machineId", received.machine_id),
        )
        if claimed != (received.registration_id, received.centre_id, received.machine_id):
            raise PacketRefusedError("PACKET_META_INFO_MISMATCH", MISMATCH)


def _check_files(contents: Mapping[str, SubPacket]) -> None:
    """Refuse a field whose file no sub-packet has."""
    present = {
        field
        for content in contents.values()
        for field in (*content.biometrics, *content.documents)
    }
    for content in contents.values():
        for field in content.absent:
            if field not in present:
                value = json.loads(content.files["ID.json"])["identity"].get(field) or {}
                if value.get("format") == "cbeff":
                    raise PacketRefusedError("BIOMETRIC_FILE_MISSING", BIOMETRIC_MISSING)
                raise PacketRefusedError("DOCUMENT_FILE_MISSING", DOCUMENT_MISSING)


class OpenPacket:
    """The stage: the packet is opened, and stays open for those that follow."""

    async def __call__(self, work: Work) -> Result:
        """Run the stage; see work.Stage."""
        await work.packet()
        return Result(go_on())
