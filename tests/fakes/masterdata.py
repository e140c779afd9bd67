"""Masterdata in memory, and packet keys without Vault."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from services.common.errors import AlreadyExists, NotFound, PlatformError
from services.masterdata.domain.field import Centre, Machine
from services.masterdata.domain.id_schema import IdSchema
from services.masterdata.domain.packet_key import PacketKey
from services.masterdata.ports import PacketKeys, Store, Transactions

_TICK = timedelta(microseconds=1)


@dataclass
class Tables:
    centres: dict[str, list[Centre]] = field(default_factory=dict)
    machines: dict[str, list[Machine]] = field(default_factory=dict)
    packet_keys: list[PacketKey] = field(default_factory=list)
    present_keys: dict[str, PacketKey] = field(default_factory=dict)
    schemas: dict[float, IdSchema] = field(default_factory=dict)
    records: list[tuple[str, str, str]] = field(default_factory=list)


class FakeMasterdataStore(Store):
    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def put_centre(self, centre: Centre, now: datetime) -> Centre:
        history = self._tables.centres.setdefault(centre.centre_id, [])
        if history:
            last = history[-1]
            assert last.changed_at is not None
            if replace(centre, changed_at=last.changed_at) == last:
                return last
            now = max(now, last.changed_at + _TICK)
        history.append(replace(centre, changed_at=now))
        return history[-1]

    async def get_centre(self, centre_id: str, as_of: datetime | None = None) -> Centre | None:
        history = self._tables.centres.get(centre_id, [])
        known = [each for each in history if as_of is None or _since(each.changed_at) <= as_of]
        return known[-1] if known else None

    async def list_centres(self, after: str, limit: int) -> Sequence[Centre]:
        ids = sorted(each for each in self._tables.centres if each > after)
        return [self._tables.centres[each][-1] for each in ids[:limit]]

    async def put_machine(self, machine: Machine, now: datetime) -> Machine:
        if machine.centre_id not in self._tables.centres:
            raise NotFound("CENTRE_NOT_FOUND", "There is no such centre.")
        history = self._tables.machines.setdefault(machine.machine_id, [])
        if history:
            last = history[-1]
            assert last.changed_at is not None
            if replace(machine, changed_at=last.changed_at) == last:
                return last
            now = max(now, last.changed_at + _TICK)
        history.append(replace(machine, changed_at=now))
        return history[-1]

    async def get_machine(self, machine_id: str, as_of: datetime | None = None) -> Machine | None:
        history = self._tables.machines.get(machine_id, [])
        known = [each for each in history if as_of is None or _since(each.changed_at) <= as_of]
        return known[-1] if known else None

    async def put_packet_key(self, key: PacketKey, now: datetime) -> None:
        self._tables.packet_keys.append(key)
        self._tables.present_keys[key.machine_id] = key

    async def packet_key_of_machine(self, machine_id: str) -> PacketKey | None:
        return self._tables.present_keys.get(machine_id)

    async def packet_key_by_thumbprint(self, thumbprint: bytes) -> PacketKey | None:
        found = [key for key in self._tables.packet_keys if key.thumbprint == thumbprint]
        return found[0] if found else None

    async def machines_to_renew(self, before: datetime, limit: int) -> Sequence[Machine]:
        ending = [key for key in self._tables.present_keys.values() if key.not_after < before]
        ending.sort(key=lambda key: key.not_after)
        machines = [self._tables.machines[key.machine_id][-1] for key in ending]
        return [machine for machine in machines if machine.active][:limit]

    async def packet_key_versions(self) -> Sequence[tuple[str, int]]:
        return sorted(
            {(key.key_name, key.key_version) for key in self._tables.present_keys.values()}
        )

    async def machines_with_key(
        self, key_name: str, key_version: int, limit: int
    ) -> Sequence[Machine]:
        return [
            self._tables.machines[key.machine_id][-1]
            for key in self._tables.present_keys.values()
            if (key.key_name, key.key_version) == (key_name, key_version)
        ][:limit]

    async def put_id_schema(self, schema: IdSchema, now: datetime) -> IdSchema:
        stored = self._tables.schemas.setdefault(schema.version, schema)
        if json.loads(stored.document) != json.loads(schema.document):
            raise AlreadyExists("SCHEMA_VERSION_TAKEN", "Another document has this version.")
        return stored

    async def get_id_schema(self, version: float) -> IdSchema | None:
        return self._tables.schemas.get(version)

    async def newest_id_schema(self, now: datetime) -> IdSchema | None:
        known = [each for each in self._tables.schemas.values() if _since(each.effective_at) <= now]
        known.sort(key=lambda each: (_since(each.effective_at), each.version))
        return known[-1] if known else None

    async def record(
        self, action: str, subject_kind: str, subject: str, details: Mapping[str, str]
    ) -> None:
        self._tables.records.append((action, subject_kind, subject))


class FakeMasterdataTransactions(Transactions):
    def __init__(self) -> None:
        self.tables = Tables()

    def __call__(self) -> AbstractAsyncContextManager[Store]:
        return self._begun()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Store]:
        before = copy.deepcopy(self.tables)
        try:
            yield FakeMasterdataStore(self.tables)
        except BaseException:
            self.tables = before
            raise


class FakePacketKeys(PacketKeys):
    """Keys and an authority in memory; `fail_with` makes every call raise it."""

    def __init__(self) -> None:
        self.keys: dict[str, list[rsa.RSAPrivateKey]] = {}
        self.certified = 0
        self.fail_with: PlatformError | None = None
        self._authority = rsa.generate_private_key(65537, 2048)

    async def create(self, key_name: str, key_type: str) -> None:
        self._fail()
        if key_name not in self.keys:
            bits = int(key_type.removeprefix("rsa-"))
            self.keys[key_name] = [rsa.generate_private_key(65537, bits)]

    async def latest_version(self, key_name: str) -> int:
        self._fail()
        return len(self.keys[key_name])

    def rotate(self, key_name: str) -> None:
        self.keys[key_name].append(rsa.generate_private_key(65537, 2048))

    async def certify(self, key_name: str, version: int, common_name: str, ttl_s: int) -> bytes:
        self._fail()
        self.certified += 1
        now = datetime.now(UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test machine CA")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(subject)
            .public_key(self.keys[key_name][version - 1].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(seconds=ttl_s))
            .sign(self._authority, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.DER)

    def _fail(self) -> None:
        if self.fail_with is not None:
            raise self.fail_with


def _since(instant: datetime | None) -> datetime:
    assert instant is not None, "what is stored has its instant"
    return instant
