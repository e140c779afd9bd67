"""Centres, machines, their certificates and schemas, over fakes."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.common.errors import AlreadyExists, InvalidArgument, NotFound, Unavailable
from services.masterdata.domain.field import Centre, Machine, check_signing_key
from services.masterdata.domain.id_schema import IdSchema, check_document
from services.masterdata.store.defaults import default_id_schema
from services.masterdata.usecases.centres import Centres
from services.masterdata.usecases.machines import CertificatePolicy, Machines
from services.masterdata.usecases.schemas import Schemas
from tests.builders import a_machine_key, public_der
from tests.fakes.clock import FakeClock
from tests.fakes.masterdata import FakeMasterdataTransactions, FakePacketKeys

KEY = "core/transit/pkt-10001"
DAY = timedelta(days=1)


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.transactions = FakeMasterdataTransactions()
        self.keys = FakePacketKeys()
        self.centres = Centres(self.transactions, self.keys, self.clock, "rsa-2048")
        policy = CertificatePolicy(ttl=365 * DAY, renew_before=30 * DAY)
        self.machines = Machines(self.transactions, self.keys, self.clock, policy)
        self.schemas = Schemas(self.transactions, self.clock)

    @property
    def actions(self) -> list[str]:
        return [action for action, _, _ in self.transactions.tables.records]


@pytest.fixture
def world() -> World:
    return World()


def a_centre(*, name: str = "North", active: bool = True) -> Centre:
    return Centre("10001", name, active)


def a_field_machine(*, centre_id: str = "10001", active: bool = True) -> Machine:
    return Machine("10077", centre_id, "Desk 1", public_der(a_machine_key()), active)


async def test_a_new_centre_gets_its_packet_key(world: World) -> None:
    await world.centres.put(a_centre())
    assert KEY in world.keys.keys
    assert world.actions == ["CENTRE_ADDED"]


async def test_the_same_centre_again_changes_and_records_nothing(world: World) -> None:
    first = await world.centres.put(a_centre())
    world.clock.advance(60)
    assert await world.centres.put(a_centre()) == first
    assert world.actions == ["CENTRE_ADDED"]


async def test_a_centre_without_a_packet_key_is_not_stored(world: World) -> None:
    world.keys.fail_with = Unavailable("VAULT_UNAVAILABLE", "It is away.")
    with pytest.raises(Unavailable):
        await world.centres.put(a_centre())
    assert await world.centres.list("", 10) == []


async def test_a_machine_gets_a_certificate_over_its_centres_key(world: World) -> None:
    await world.centres.put(a_centre())
    _, key = await world.machines.put(a_field_machine())
    certificate = x509.load_der_x509_certificate(key.certificate)
    assert certificate.subject.rfc4514_string() == "CN=10001_10077"
    assert certificate.public_key() == world.keys.keys[KEY][0].public_key()
    assert await world.machines.packet_key("10077", b"") == key
    assert await world.machines.packet_key("", key.thumbprint) == key


async def test_putting_a_machine_again_keeps_its_certificate(world: World) -> None:
    await world.centres.put(a_centre())
    _, first = await world.machines.put(a_field_machine())
    machine, second = await world.machines.put(a_field_machine(active=False))
    assert second == first
    assert not machine.active
    assert world.keys.certified == 1


async def test_a_rotated_centre_key_gives_a_new_certificate_and_keeps_the_old(world: World) -> None:
    await world.centres.put(a_centre())
    _, first = await world.machines.put(a_field_machine())
    world.keys.rotate(KEY)
    _, second = await world.machines.put(a_field_machine())
    assert (first.key_version, second.key_version) == (1, 2)
    assert await world.machines.packet_key("", first.thumbprint) == first
    assert await world.machines.packet_key("10077", b"") == second


async def test_certificates_that_end_soon_are_renewed_once(world: World) -> None:
    await world.centres.put(a_centre())
    _, first = await world.machines.put(a_field_machine())
    assert await world.machines.renew() == 0
    world.clock.set(first.not_after - 10 * DAY)
    assert await world.machines.renew() == 1
    assert (await world.machines.packet_key("10077", b"")) != first
    assert "PACKET_CERTIFICATE_RENEWED" in world.actions


async def test_a_machine_of_an_unknown_centre_is_refused(world: World) -> None:
    with pytest.raises(NotFound) as refused:
        await world.machines.put(a_field_machine(centre_id="99999"))
    assert refused.value.reason == "CENTRE_NOT_FOUND"


async def test_a_machine_is_operational_only_with_its_centre_and_as_of_then(world: World) -> None:
    await world.centres.put(a_centre())
    await world.machines.put(a_field_machine())
    open_at = world.clock.now()
    world.clock.advance(3600)
    await world.centres.put(a_centre(active=False))
    assert await world.machines.get("10077", None) == (
        (await world.machines.get("10077", open_at))[0],
        False,
    )
    assert (await world.machines.get("10077", open_at))[1]
    with pytest.raises(NotFound) as refused:
        await world.machines.get("10077", open_at - DAY)
    assert refused.value.reason == "MACHINE_NOT_FOUND"


async def test_a_packet_key_is_asked_for_by_exactly_one_of_two(world: World) -> None:
    for machine_id, thumbprint in (("", b""), ("10077", b"\x01" * 32)):
        with pytest.raises(InvalidArgument):
            await world.machines.packet_key(machine_id, thumbprint)
    with pytest.raises(NotFound):
        await world.machines.packet_key("", b"\x01" * 32)


def test_weak_and_foreign_signing_keys_are_refused() -> None:
    short = rsa.generate_private_key(65537, 1024)
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key()
    foreign = elliptic.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for der, reason in (
        (public_der(short), "PUBLIC_KEY_WEAK"),
        (foreign, "PUBLIC_KEY_WEAK"),
        (b"\x30" * 200, "PUBLIC_KEY_MALFORMED"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            check_signing_key(der)
        assert refused.value.reason == reason


async def test_the_shipped_schema_is_put_once_and_never_over_anothers(world: World) -> None:
    await world.schemas.ensure_default(default_id_schema())
    await world.schemas.ensure_default(default_id_schema())
    assert world.actions == ["ID_SCHEMA_ADDED"]
    assert (await world.schemas.get(0)).version == 0.1


async def test_a_schema_version_never_changes(world: World) -> None:
    schema = default_id_schema()
    await world.schemas.put(schema)
    again = IdSchema(0.1, json.dumps(json.loads(schema.document)))
    assert (await world.schemas.put(again)).document == schema.document
    changed = json.loads(schema.document) | {"title": "Another"}
    with pytest.raises(AlreadyExists) as refused:
        await world.schemas.put(IdSchema(0.1, json.dumps(changed)))
    assert refused.value.reason == "SCHEMA_VERSION_TAKEN"


async def test_the_newest_schema_is_the_one_in_effect(world: World) -> None:
    document = default_id_schema().document
    await world.schemas.put(IdSchema(0.1, document, world.clock.now()))
    await world.schemas.put(IdSchema(0.2, document, world.clock.now() + DAY))
    assert (await world.schemas.get(0)).version == 0.1
    world.clock.advance(2 * DAY.total_seconds())
    assert (await world.schemas.get(0)).version == 0.2
    with pytest.raises(NotFound):
        await world.schemas.get(7)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "{",
        '{"type": "object", "type": "object"}',
        '{"type": "no such type"}',
        '{"type": "object"}',
        '{"properties": {"identity": {"properties": {"fullName": {}}}}}',
        '{"properties": {"identity": {"properties": '
        '{"IDSchemaVersion": {"fieldCategory": "secret"}}}}}',
    ],
)
def test_what_is_no_identity_schema_is_refused(document: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_document(document)
    assert refused.value.reason == "SCHEMA_MALFORMED"
