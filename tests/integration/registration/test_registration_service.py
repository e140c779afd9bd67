"""Registration over its own wire: a machine enrols, strangers and liars do not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from idmesh.processing.v1 import processing_events_pb2, processing_pb2
from idmesh.registration.v1 import registration_service_pb2 as pb

from services.common.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PlatformError,
    Unauthenticated,
)
from services.common.packet import parse_sealed
from services.registration_client import (
    Applicant,
    SealedPacket,
    StationSettings,
    SyncRefused,
    build_packet,
    cbeff_of,
)
from services.synthetic import capture, make_person
from tests.builders import a_machine_key, a_machine_token, a_rid
from tests.fakes.enrolment_mesh import MAX_PACKET_BYTES, EnrolmentMesh

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.vault]


def a_sealed_packet(
    settings: StationSettings, *, sequence: int = 1, at: datetime | None = None
) -> SealedPacket:
    person = make_person(sequence)
    applicant = Applicant(
        fields=person.fields(),
        documents=person.documents(),
        biometrics={"individualBiometrics": cbeff_of(capture(person, 1))},
    )
    at = at or datetime.now(UTC).replace(microsecond=0)
    return build_packet(
        applicant,
        settings=settings,
        machine_key=a_machine_key(),
        rid=a_rid(sequence, created_at=at),
        created_at=at,
    )


def authorised(token: str | None = None) -> tuple[tuple[str, str], ...]:
    token = token or a_machine_token(now=datetime.now(UTC))
    return (("authorization", f"Bearer {token}"),)


def header(packet_id: str) -> pb.UploadPacketRequest:
    return pb.UploadPacketRequest(header=pb.UploadHeader(packet_id=packet_id))


def chunk(content: bytes) -> pb.UploadPacketRequest:
    return pb.UploadPacketRequest(chunk=content)


async def upload(mesh: EnrolmentMesh, *messages: pb.UploadPacketRequest) -> PlatformError:
    """Upload by hand and return the refusal."""

    async def sent() -> AsyncIterator[pb.UploadPacketRequest]:
        for message in messages:
            yield message

    stub = await mesh.registration()
    with pytest.raises(PlatformError) as refused:
        await stub.UploadPacket(sent(), metadata=authorised(), timeout=20)
    return refused.value


async def test_a_packet_goes_from_the_machine_to_processing(mesh: EnrolmentMesh) -> None:
    key = await mesh.put_machine()
    station = await mesh.station()
    settings = await station.settings()
    assert settings.certificate == key.certificate
    assert settings.max_packet_bytes == MAX_PACKET_BYTES
    packet = a_sealed_packet(settings)
    assert await station.send(packet) == await station.upload(packet)
    assert await mesh.feed_of("registration") == [
        "AuditRecorded",
        "PacketReceived",
        "AuditRecorded",
    ]
    [status] = await station.statuses([packet.registration_id])
    assert (status.status, status.packet_id) == ("RECEIVED", packet.packet_id)
    processing = await mesh.registration("processing")
    request = pb.DownloadPacketRequest(packet_id=packet.packet_id)
    content = b"".join([part.chunk async for part in processing.DownloadPacket(request)])
    assert content == packet.content
    assert parse_sealed(content).thumbprint == key.thumbprint


async def test_a_machine_hears_how_its_registration_ends(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    station = await mesh.station()
    packet = a_sealed_packet(await station.settings())
    await station.send(packet)
    changed_at = Timestamp()
    changed_at.GetCurrentTime()
    for state in ("PROCESSING", "PROCESSED"):
        await mesh.publish(
            processing_events_pb2.RegistrationAdvanced(
                registration_id=packet.registration_id,
                packet_id=packet.packet_id,
                state=processing_pb2.RegistrationState.Value(f"REGISTRATION_STATE_{state}"),
                changed_at=changed_at,
            )
        )
    status = await station.wait_until_final(packet.registration_id, timeout_s=20)
    assert status.status == "UIN_GENERATED"
    assert await (await mesh.station("10077")).statuses([str(a_rid(9))]) == []


async def test_strangers_are_refused_before_they_are_heard(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    await mesh.put_machine("10078", key=a_machine_key("second"), active=False)
    now = datetime.now(UTC)
    stub = await mesh.registration()
    request = pb.GetStationSettingsRequest()
    for metadata in (
        (),
        (("authorization", "Basic eDp5"),),
        (*authorised(), *authorised()),
        authorised("a.b.c"),
        authorised(a_machine_token(now=now, life_s=-60)),
        authorised(a_machine_token(now=now, life_s=3600)),
        authorised(a_machine_token(now=now, key=a_machine_key("forger"))),
        authorised(a_machine_token("10078", now=now)),
        authorised(a_machine_token("55555", now=now)),
    ):
        with pytest.raises(Unauthenticated) as refused:
            await stub.GetStationSettings(request, metadata=metadata)
        assert refused.value.reason == "MACHINE_TOKEN_INVALID"
    with pytest.raises(PermissionDenied) as inactive:
        token = a_machine_token("10078", now=now, key=a_machine_key("second"))
        await stub.GetStationSettings(request, metadata=authorised(token))
    assert inactive.value.reason == "MACHINE_NOT_OPERATIONAL"


async def test_each_rpc_has_its_callers(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    edge, processing = await mesh.registration(), await mesh.registration("processing")
    with pytest.raises(PermissionDenied):
        await processing.GetStationSettings(pb.GetStationSettingsRequest(), metadata=authorised())
    with pytest.raises(PermissionDenied):
        [part async for part in edge.DownloadPacket(pb.DownloadPacketRequest(packet_id="x"))]
    with pytest.raises(NotFound):
        request = pb.DownloadPacketRequest(packet_id="x")
        [part async for part in processing.DownloadPacket(request)]


async def test_hostile_uploads_leave_nothing_behind(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    await mesh.put_machine("10078", key=a_machine_key("second"))
    station = await mesh.station()
    packet = a_sealed_packet(await station.settings())
    not_synced = await upload(mesh, header(packet.packet_id), chunk(packet.content[:1000]))
    assert not_synced.reason == "PACKET_NOT_SYNCED"
    await station.sync([packet])
    first = packet.content[:10_000]
    start = header(packet.packet_id)
    for messages, reason in (
        ((), "UPLOAD_HEADER_MISSING"),
        ((chunk(first), start), "UPLOAD_HEADER_MISSING"),
        ((start, chunk(first), start), "UPLOAD_HEADER_REPEATED"),
        ((start, chunk(first)), "PACKET_HASH_MISMATCH"),
        ((start,), "PACKET_HASH_MISMATCH"),
        ((start, *[chunk(first)] * 20), "PACKET_SIZE_MISMATCH"),
        ((start, chunk(bytes(65_537))), "REQUEST_INVALID"),
        ((header("../../etc/passwd"),), "REQUEST_INVALID"),
        ((pb.UploadPacketRequest(),), "REQUEST_INVALID"),
    ):
        refused = await upload(mesh, *messages)
        assert isinstance(refused, InvalidArgument), reason
        assert refused.reason == reason
    other = await mesh.station("10078", a_machine_key("second"), attempts=1)
    with pytest.raises(PlatformError) as stolen:
        await other.upload(packet)
    assert stolen.value.reason == "PACKET_NOT_SYNCED"
    assert mesh.files() == []
    assert "PacketReceived" not in await mesh.feed_of("registration")
    await station.upload(packet)
    assert len(mesh.files()) == 1


async def test_an_upload_cut_off_in_the_middle_leaves_nothing(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    station = await mesh.station()
    packet = a_sealed_packet(await station.settings())
    await station.sync([packet])
    started = asyncio.Event()

    async def cut_off() -> AsyncIterator[pb.UploadPacketRequest]:
        yield header(packet.packet_id)
        yield chunk(packet.content[:10_000])
        started.set()
        await asyncio.sleep(60)

    stub = await mesh.registration()
    call = asyncio.ensure_future(stub.UploadPacket(cut_off(), metadata=authorised(), timeout=60))
    await started.wait()
    await asyncio.sleep(0.1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    async with asyncio.timeout(5):
        while mesh.files():
            await asyncio.sleep(0.05)
    await station.upload(packet)


async def test_a_packet_above_the_limit_is_refused_unread(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    station = await mesh.station()
    packet = a_sealed_packet(await station.settings())
    large = replace(packet, content=packet.content + bytes(MAX_PACKET_BYTES))
    await station.sync([large])
    refused = await upload(mesh, header(large.packet_id), chunk(b"first"))
    assert (refused.code, refused.reason) == ("RESOURCE_EXHAUSTED", "PACKET_TOO_LARGE")


async def test_a_second_packet_of_a_registration_is_a_duplicate(mesh: EnrolmentMesh) -> None:
    await mesh.put_machine()
    station = await mesh.station()
    settings = await station.settings()
    packet = a_sealed_packet(settings)
    await station.send(packet)
    head, _, _ = packet.packet_id.rpartition("-")
    second = replace(packet, packet_id=f"{head}-20300101000000")
    await station.sync([second])
    with pytest.raises(AlreadyExists) as refused:
        await station.upload(second)
    assert refused.value.reason == "PACKET_DUPLICATE"
    with pytest.raises(SyncRefused) as conflict:
        await station.sync([replace(packet, content=packet.content + b"x")])
    assert conflict.value.reason == "SYNC_CONFLICT"


async def test_many_send_the_same_packet_at_once_and_it_is_received_once(
    mesh: EnrolmentMesh,
) -> None:
    await mesh.put_machine()
    station = await mesh.station()
    packet = a_sealed_packet(await station.settings())
    await station.sync([packet])
    answers = await asyncio.gather(*(station.upload(packet) for _ in range(4)))
    assert len(set(answers)) == 1
    assert (await mesh.feed_of("registration")).count("PacketReceived") == 1
    assert len(mesh.files()) == 1


async def test_the_packet_can_be_opened_with_the_key_in_vault_alone(mesh: EnrolmentMesh) -> None:
    key = await mesh.put_machine()
    station = await mesh.station()
    packet = a_sealed_packet(await station.settings())
    parts = parse_sealed(packet.content)
    ciphertext = f"vault:v{key.key_version}:" + base64.b64encode(parts.wrapped_key).decode()
    name = key.key_name.rpartition("/")[2]
    answer = mesh.vault.call("POST", f"core/transit/decrypt/{name}", {"ciphertext": ciphertext})
    session_key = base64.b64decode(answer["data"]["plaintext"])
    assert len(session_key) == 32
