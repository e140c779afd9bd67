"""What processing meets outside: packets, masterdata, abis and identity, in memory."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import NameOID

import services.masterdata.store
from services.abis.domain.reference import Modality as AbisModality
from services.abis.domain.reference import Position
from services.abis.domain.reference import Template as AbisTemplate
from services.abis.domain.search import Search
from services.common.errors import InvalidArgument, NotFound, PlatformError
from services.common.ids import Rid
from services.processing.domain.candidates import TemplateSimilarity
from services.processing.domain.case import PersonView
from services.processing.domain.packet import OpenedPacket, Template
from services.processing.domain.registration import GalleryPosition, Received
from services.processing.ports import Found, Machine, PacketKey
from services.registration_client.applicant import Applicant, cbeff_of
from services.registration_client.builder import SealedPacket, build_packet
from services.registration_client.settings import StationSettings
from services.synthetic import capture, make_person
from tests.builders import CAPTURED_AT, a_machine_key, public_der
from tests.fakes.abis import AbisUnderTest
from tests.fakes.vault import FakeVault

CENTRE, MACHINE = "10001", "10077"
KEY_NAME = f"core/transit/pkt-{CENTRE}"


class Failing:
    """Raises on demand: once per error queued, by method name, before or after the act."""

    def __init__(self) -> None:
        self.failures: dict[str, list[PlatformError]] = {}
        self.calls: list[str] = []

    def fail(self, method: str, *errors: PlatformError) -> None:
        self.failures.setdefault(method, []).extend(errors)

    def _enter(self, method: str) -> None:
        self.calls.append(method)
        if self.failures.get(method):
            raise self.failures[method].pop(0)

    def _leave(self, method: str) -> None:
        """Fail after the act: the answer is lost, the effect is not."""
        if self.failures.get(f"{method}:answer"):
            raise self.failures[f"{method}:answer"].pop(0)


class FakePackets(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, bytes] = {}

    async def download(self, packet_id: str, *, max_bytes: int) -> bytes:
        self._enter("download")
        if packet_id not in self.stored:
            raise NotFound("PACKET_NOT_FOUND", "There is no such packet.")
        return self.stored[packet_id][: max_bytes + 1]


class FakeMasterdata(Failing):
    def __init__(self, thumbprint: bytes) -> None:
        super().__init__()
        self.keys = {thumbprint: PacketKey(CENTRE, MACHINE, KEY_NAME, 1)}
        self.machines = {MACHINE: Machine(MACHINE, CENTRE, public_der(a_machine_key()), True)}
        self.schemas = {a_schema()[0]: json.dumps(a_schema()[1])}

    async def packet_key(self, thumbprint: bytes) -> PacketKey:
        self._enter("packet_key")
        if thumbprint not in self.keys:
            raise NotFound("PACKET_KEY_NOT_FOUND", "There is no such key.")
        return self.keys[thumbprint]

    async def machine(self, machine_id: str, as_of: datetime) -> Machine:
        self._enter("machine")
        if machine_id not in self.machines:
            raise NotFound("MACHINE_NOT_FOUND", "There is no such machine.")
        return self.machines[machine_id]

    async def id_schema(self, version: float) -> str:
        self._enter("id_schema")
        if version not in self.schemas:
            raise NotFound("SCHEMA_NOT_FOUND", "There is no such schema.")
        return self.schemas[version]


class AbisInMemory(Failing):
    """The real use cases of abis behind processing's port."""

    def __init__(self, abis: AbisUnderTest) -> None:
        super().__init__()
        self.abis = abis
        self._applying = asyncio.Lock()

    async def insert(self, reference_id: UUID, templates: Sequence[Template]) -> GalleryPosition:
        self._enter("insert")
        position = await self.abis.insert(reference_id, _for_abis(templates))
        await self._apply()
        self._leave("insert")
        return GalleryPosition(position.epoch, 0, position.sequence)

    async def identify(
        self,
        subject: UUID | Sequence[Template],
        *,
        among: Collection[UUID] = (),
        applied_up_to: GalleryPosition | None = None,
    ) -> list[Found]:
        self._enter("identify")
        place = None
        if applied_up_to is not None:
            place = Position(applied_up_to.epoch, applied_up_to.sequence)
        answer = await self.abis.identify(
            Search(
                subject if isinstance(subject, UUID) else _for_abis(subject),
                max_candidates=100,
                among=among,
                applied_up_to=place,
            )
        )
        return [
            Found(
                each.reference_id,
                each.similarity,
                tuple(
                    TemplateSimilarity(one.modality.value, one.position, one.similarity)
                    for one in each.by_template
                ),
            )
            for each in answer.candidates
        ]

    async def delete(self, reference_id: UUID) -> None:
        self._enter("delete")
        await self.abis.delete(reference_id)
        await self._apply()

    async def _apply(self) -> None:
        async with self._applying:
            while await self.abis.log.apply_some():
                pass


def _for_abis(templates: Sequence[Template]) -> list[AbisTemplate]:
    return [AbisTemplate(AbisModality(t.modality.value), t.position, t.data) for t in templates]


class FakeIdentities(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.created: dict[str, OpenedPacket] = {}
        self.published: list[str] = []
        self.notified: list[str] = []

    async def create(self, registration_id: str, packet: OpenedPacket) -> None:
        self._enter("create")
        if not packet.identity:
            raise InvalidArgument("RECORD_MALFORMED", "Empty.")
        self.created.setdefault(registration_id, packet)
        self._leave("create")

    async def publish(self, registration_id: str) -> None:
        self._enter("publish")
        assert registration_id in self.created
        if registration_id not in self.published:
            self.published.append(registration_id)

    async def notify(self, registration_id: str) -> bool:
        self._enter("notify")
        assert registration_id in self.published
        if registration_id not in self.notified:
            self.notified.append(registration_id)
        return True

    async def view(self, registration_id: str) -> PersonView:
        self._enter("view")
        packet = self.created[registration_id]
        return PersonView(
            registration_id,
            json.dumps(packet.identity, ensure_ascii=False),
            tuple((t.modality, t.position) for t in packet.templates),
        )


@functools.cache
def a_schema() -> tuple[float, Mapping[str, Any]]:
    folder = Path(next(iter(services.masterdata.store.__path__)))
    return 0.1, json.loads((folder / "default_id_schema.json").read_text())


async def a_packet_certificate(vault: FakeVault) -> x509.Certificate:
    """Make the centre's packet key in the vault; return a certificate of it."""
    await vault.create_key(KEY_NAME, "rsa-2048")
    pem = (await vault.public_keys(KEY_NAME)).keys[1]
    public_key = load_pem_public_key(pem)
    assert isinstance(public_key, rsa.RSAPublicKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "packets")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(1)
        .not_valid_before(CAPTURED_AT - timedelta(days=1))
        .not_valid_after(CAPTURED_AT + timedelta(days=3650))
        .sign(a_machine_key("issuer"), hashes.SHA256())
    )


@dataclass
class Station:
    """A registration machine: seals packets of synthetic people."""

    certificate: x509.Certificate
    sequence: int = 0
    key: rsa.RSAPrivateKey = field(default_factory=a_machine_key)

    def enrol(
        self,
        person: int,
        session: int = 1,
        *,
        looks_like: int | None = None,
        biometrics: bool = True,
        changes: Mapping[str, Any] | None = None,
        process: str = "NEW",
        approved: bool = True,
    ) -> SealedPacket:
        """Return a packet: the papers of one person, the body of the same, another or none."""
        papers = make_person(person)
        body = make_person(person if looks_like is None else looks_like)
        captures = capture(body, session, fingers=(2, 7), irises=(1,)) if biometrics else []
        captured = {"individualBiometrics": cbeff_of(captures, created_at=CAPTURED_AT)}
        self.sequence += 1
        version, schema = a_schema()
        return build_packet(
            Applicant(
                fields={**papers.fields(), **(changes or {})},
                documents=papers.documents(),
                biometrics=captured,
            ),
            settings=StationSettings(
                CENTRE,
                MACHINE,
                self.certificate.public_bytes(Encoding.DER),
                version,
                schema,
                10_000_000,
            ),
            machine_key=self.key,
            rid=Rid(CENTRE, MACHINE, self.sequence, CAPTURED_AT),
            process=process,
            supervisor_approved=approved,
            created_at=CAPTURED_AT,
        )


def received(packet: SealedPacket, **changes: Any) -> Received:
    """Return the packet as registration announces it."""
    values: dict[str, Any] = {
        "registration_id": packet.registration_id,
        "packet_id": packet.packet_id,
        "process": packet.process,
        "centre_id": CENTRE,
        "machine_id": MACHINE,
        "sha256": hashlib.sha256(packet.content).digest(),
        "size": len(packet.content),
        "received_at": datetime(2026, 1, 3, tzinfo=UTC),
        "supervisor_approved": packet.supervisor_approved,
    }
    return Received(**(values | changes))
