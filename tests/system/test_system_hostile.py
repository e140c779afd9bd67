"""Packets from a machine in wrong hands: refused at the edge, or ended with a reason."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from idmesh.processing.v1 import processing_pb2
from idmesh.registration.v1 import registration_service_pb2, registration_service_pb2_grpc

from services.common.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    PlatformError,
    Unauthenticated,
)
from services.common.packet import SubPacketDraft, build_container, build_sub_packet
from services.common.packet import seal as seal_packet
from services.local.sandbox.keys import make_authority
from services.registration_client import builder
from services.registration_client.applicant import Applicant
from services.registration_client.builder import SealedPacket, build_packet
from services.registration_client.machine_key import machine_token
from services.registration_client.station import Station
from services.registration_client.station_client import StationClient
from tests.fakes.mesh import World, connect_station, plant_key

FAILED = processing_pb2.REGISTRATION_STATE_FAILED
REJECTED = processing_pb2.REGISTRATION_STATE_REJECTED
BOMB = bytes(24 * 1024 * 1024)
BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE BIR [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><BIR>&c;</BIR>'
)
FROM_OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE BIR [<!ENTITY x SYSTEM "file:///etc/passwd">]><BIR>&x;</BIR>'
)


@dataclass(frozen=True)
class Other:
    """Another machine, of another centre."""

    station: Station
    client: StationClient


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other(world: World) -> AsyncIterator[Other]:
    number = f"{(world.population - 10_000 + 1) % 89_999 + 10_000}"
    async with AsyncExitStack() as stack:
        station, client = await connect_station(
            stack, world.mesh, world.operator, world.folder, number
        )
        plant_key(world.secrets, station)
        yield Other(station, client)


def stored(world: World) -> set[str]:
    """Return what lies in the object store of registration, leftovers included."""
    return {str(path) for path in world.mesh.folder.objects.rglob("*") if path.is_file()}


def zipped_with(archive: bytes, more: Mapping[str, bytes]) -> bytes:
    """Return an archive with other or further files."""
    with zipfile.ZipFile(io.BytesIO(archive)) as old:
        files = {name: old.read(name) for name in old.namelist()} | dict(more)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in files.items():
            new.writestr(name, content)
    return out.getvalue()


def rewritten(sub_packet: bytes) -> bytes:
    """Return ID.json, the same to whoever parses it."""
    with zipfile.ZipFile(io.BytesIO(sub_packet)) as archive:
        return archive.read("ID.json") + b" "


def with_captures(cbeff: bytes) -> Callable[[SubPacketDraft], SubPacketDraft]:
    return lambda draft: replace(draft, biometrics=dict.fromkeys(draft.biometrics, cbeff))


@dataclass(frozen=True)
class Crime:
    """What a machine does to its packet, at each step of making it."""

    reason: str
    draft: Callable[[SubPacketDraft], SubPacketDraft] = lambda draft: draft
    sub_packet: Callable[[bytes], bytes] = lambda plain: plain
    container: Callable[[bytes], bytes] = lambda plain: plain
    sealed: Callable[[bytes], bytes] = lambda sealed: sealed
    applicant: Callable[[Applicant], Applicant] = lambda applicant: applicant


def bomb(applicant: Applicant) -> Applicant:
    [(name, document)] = applicant.documents.items()
    return replace(applicant, documents={name: replace(document, content=BOMB)})


CRIMES = {
    "its end cut off": Crime("PACKET_DECRYPT_FAILED", sealed=lambda sealed: sealed[:-100]),
    "a bit flipped": Crime(
        "PACKET_DECRYPT_FAILED", sealed=lambda sealed: sealed[:-50] + b"\0" + sealed[-49:]
    ),
    "no packet at all": Crime("PACKET_SPLITTER_MISSING", sealed=lambda _: os.urandom(4096)),
    "almost nothing": Crime("PACKET_TRUNCATED", sealed=lambda _: b"PK"),
    "a bomb as a document": Crime("PACKET_ZIP_BOMB", applicant=bomb),
    "a bomb in the container": Crime(
        "PACKET_ZIP_BOMB",
        container=lambda plain: zipped_with(plain, {"REGISTRATION_CLIENT/NEW/bomb.json": BOMB}),
    ),
    "a path out of the container": Crime(
        "PACKET_ZIP_PATH_TRAVERSAL",
        container=lambda plain: zipped_with(plain, {"../../../tmp/evil": b"evil"}),
    ),
    "a path out of a sub-packet": Crime(
        "PACKET_ZIP_PATH_TRAVERSAL",
        sub_packet=lambda plain: zipped_with(plain, {"/etc/cron.d/evil": b"evil"}),
    ),
    "a file nobody named": Crime(
        "PACKET_FILE_UNEXPECTED",
        sub_packet=lambda plain: zipped_with(plain, {"surprise.bin": b"surprise"}),
    ),
    "a file that its hashes do not know": Crime(
        "PACKET_HASH_MISMATCH",
        sub_packet=lambda plain: zipped_with(plain, {"ID.json": rewritten(plain)}),
    ),
    "captures that are no XML": Crime("CBEFF_MALFORMED", draft=with_captures(b"<BIR")),
    "captures that unfold without end": Crime(
        "CBEFF_MALFORMED", draft=with_captures(BILLION_LAUGHS)
    ),
    "captures that read our files": Crime("CBEFF_MALFORMED", draft=with_captures(FROM_OUTSIDE)),
}


async def hostile(world: World, crime: Crime, monkeypatch: pytest.MonkeyPatch) -> SealedPacket:
    """Build a packet as a machine would that was changed in this one way."""
    monkeypatch.setattr(
        builder,
        "build_sub_packet",
        lambda draft, meta: crime.sub_packet(build_sub_packet(crime.draft(draft), meta)),
    )
    monkeypatch.setattr(
        builder, "build_container", lambda *given: crime.container(build_container(*given))
    )
    monkeypatch.setattr(builder, "seal", lambda *given: crime.sealed(seal_packet(*given)))
    applicant = crime.applicant(world.applicant(world.new_person()))
    return await world.build(applicant)


async def ended(world: World, packet: SealedPacket) -> processing_pb2.Registration:
    await world.client.send(packet)
    return (await world.end_of(packet.registration_id)).registration


@pytest.mark.parametrize("crime", CRIMES.values(), ids=CRIMES.keys())
async def test_what_is_wrong_inside_ends_the_registration_with_a_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, crime: Crime
) -> None:
    packet = await hostile(world, crime, monkeypatch)
    registration = await ended(world, packet)
    assert (registration.state, registration.reason) == (FAILED, crime.reason)
    assert registration.mosip_code
    # The evidence is kept, as it came.
    [kept] = [path for path in stored(world) if packet.packet_id in path]
    with open(kept, "rb") as file:
        assert file.read() == packet.content
    await world.client.wait_until_final(packet.registration_id, timeout_s=5, poll_s=0.05)


async def test_a_packet_signed_by_another_machine_is_refused(world: World, other: Other) -> None:
    packet = await forged(world, key=other.station.key)
    registration = await ended(world, packet)
    assert (registration.state, registration.reason) == (FAILED, "PACKET_SIGNATURE_INVALID")


async def test_a_packet_sealed_for_another_machine_is_refused(world: World, other: Other) -> None:
    settings = other.station.settings()
    assert settings is not None
    packet = await forged(world, certificate=settings.certificate)
    registration = await ended(world, packet)
    assert (registration.state, registration.reason) == (FAILED, "PACKET_KEY_OF_ANOTHER_MACHINE")


async def test_a_packet_sealed_for_nobodys_key_is_refused(world: World) -> None:
    stranger = make_authority("nobody").certificate.public_bytes(Encoding.DER)
    packet = await forged(world, certificate=stranger)
    registration = await ended(world, packet)
    assert (registration.state, registration.reason) == (FAILED, "PACKET_KEY_UNKNOWN")


async def test_a_packet_announced_as_another_registration_is_refused(world: World) -> None:
    inside = await world.build(world.applicant(world.new_person()))
    outside = await world.build(world.applicant(world.new_person()))
    registration = await ended(world, replace(outside, content=inside.content))
    assert (registration.state, registration.reason) == (FAILED, "PACKET_REGISTRATION_MISMATCH")


async def test_a_registration_that_the_supervisor_refused_is_rejected(world: World) -> None:
    packet = await world.build(world.applicant(world.new_person()))
    registration = await ended(world, replace(packet, supervisor_approved=False))
    assert (registration.state, registration.reason) == (REJECTED, "SUPERVISOR_REJECTED")


async def test_an_upload_that_is_not_what_was_announced_is_refused_and_not_stored(
    world: World,
) -> None:
    packet = await world.build(world.applicant(world.new_person()))
    await world.client.sync([packet])
    before = stored(world)
    content = packet.content
    for uploaded, reason in (
        (content[:-1], "PACKET_HASH_MISMATCH"),
        (content + b"\0", "PACKET_SIZE_MISMATCH"),
        (b"\0" + content[1:], "PACKET_HASH_MISMATCH"),
        (b"", "PACKET_HASH_MISMATCH"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await world.client.upload(replace(packet, content=uploaded))
        assert refused.value.reason == reason
    assert stored(world) == before
    await world.client.upload(packet)


async def test_an_upload_that_nobody_announced_is_refused_and_not_stored(world: World) -> None:
    packet = await world.build(world.applicant(world.new_person()))
    before = stored(world)
    with pytest.raises(FailedPrecondition) as refused:
        await world.client.upload(packet)
    assert refused.value.reason == "PACKET_NOT_SYNCED"
    assert stored(world) == before


async def test_a_packet_larger_than_the_server_takes_is_refused_when_it_is_announced(
    world: World,
) -> None:
    packet = await world.build(world.applicant(world.new_person()))
    settings = world.station.settings()
    assert settings is not None
    before = stored(world)
    huge = replace(packet, content=bytes(settings.max_packet_bytes + 1))
    with pytest.raises(PlatformError) as refused:
        await world.client.send(huge)
    assert refused.value.reason == "PACKET_TOO_LARGE"
    assert stored(world) == before


async def test_another_machine_can_neither_announce_nor_send_nor_see_a_packet(
    world: World, other: Other
) -> None:
    packet = await world.build(world.applicant(world.new_person()))
    with pytest.raises(PlatformError) as refused:
        await other.client.sync([packet])
    assert refused.value.reason == "MACHINE_MISMATCH"
    await world.client.sync([packet])
    before = stored(world)
    with pytest.raises(FailedPrecondition):
        await other.client.upload(packet)
    assert stored(world) == before
    await world.client.upload(packet)
    assert await other.client.statuses([packet.registration_id]) == []


async def test_the_same_upload_again_is_answered_the_same_and_processed_once(world: World) -> None:
    packet = await world.build(world.applicant(world.new_person()))
    await world.client.sync([packet])
    first = await world.client.upload(packet)
    before = stored(world)
    again = await asyncio.gather(*(world.client.upload(packet) for _ in range(3)))
    assert set(again) == {first}
    assert stored(world) == before
    answer = await world.end_of(packet.registration_id)
    assert [entry.stage for entry in answer.journal].count("open_packet") == 1


async def test_a_second_packet_of_a_registration_is_refused_and_not_stored(world: World) -> None:
    packet = await world.build(world.applicant(world.new_person()))
    await world.client.send(packet)
    before = stored(world)
    # The time in the packet's id is another.
    head, station, made_at = packet.packet_id.split("-")
    second = f"{head}-{station}-{int(made_at) - 1}"
    content = os.urandom(2048)
    with pytest.raises(AlreadyExists) as refused:
        await world.client.send(replace(packet, packet_id=second, content=content))
    assert refused.value.reason == "PACKET_DUPLICATE"
    assert stored(world) == before
    await world.end_of(packet.registration_id)


async def test_a_machine_is_known_by_its_key_and_not_by_what_it_says(
    world: World, other: Other
) -> None:
    own = world.station.connection.machine_id
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for token in (
        machine_token(own, other.station.key),
        machine_token(own, stranger),
        machine_token("99999", stranger),
        "nonsense",
        "",
    ):
        with pytest.raises(PlatformError) as refused:
            await settings_with(world, token)
        assert isinstance(refused.value, Unauthenticated)


async def settings_with(world: World, token: str) -> None:
    from services.common.rpc.status import from_rpc_error

    credentials = grpc.ssl_channel_credentials(world.mesh.ca_file.read_bytes())
    async with grpc.aio.secure_channel(world.mesh.target, credentials) as channel:
        stub: Any = registration_service_pb2_grpc.RegistrationServiceStub(channel)
        try:
            await stub.GetStationSettings(
                registration_service_pb2.GetStationSettingsRequest(),
                metadata=(("authorization", f"Bearer {token}"),) if token else (),
                timeout=10,
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None


async def forged(
    world: World, *, key: rsa.RSAPrivateKey | None = None, certificate: bytes | None = None
) -> SealedPacket:
    """Build a packet with another's key, or for another's certificate."""
    settings = world.station.settings()
    assert settings is not None
    return await asyncio.to_thread(
        build_packet,
        world.applicant(world.new_person()),
        settings=replace(settings, certificate=certificate or settings.certificate),
        machine_key=key or world.station.key,
        rid=world.station.next_rid(),
    )
