"""The order of an upload's messages, and what happens to the rest of a refused one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from idmesh.registration.v1 import registration_service_pb2 as pb

from services.common.errors import PlatformError, Unauthenticated
from services.registration import servicer as module
from services.registration.domain.packet import Processes
from services.registration.servicer import RegistrationServicer, UseCases
from services.registration.usecases.authenticate import Authenticate, MachineDirectory
from services.registration.usecases.lookups import Lookups
from services.registration.usecases.receive import ReceivePacket, UploadLimits
from services.registration.usecases.sync import SyncRegistrations
from tests.builders import a_machine, a_machine_token, a_sync_item
from tests.fakes.clock import FakeClock
from tests.fakes.registration import FakeMasterdata, FakePacketObjects, FakeTransactions

CONTENT = b"sealed packet " * 10_000
ITEM = a_sync_item(CONTENT)
PROCESSES = Processes(frozenset({"NEW"}))


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        masterdata = FakeMasterdata()
        masterdata.machines["10077"] = a_machine()
        transactions, objects = FakeTransactions(), FakePacketObjects()
        limits = UploadLimits(1_000_000, 2, 1, 1.0)
        directory = MachineDirectory(masterdata, self.clock, ttl_s=30, stale_s=600)
        self.sync = SyncRegistrations(transactions, masterdata, self.clock, PROCESSES)
        self.servicer = RegistrationServicer(
            UseCases(
                Authenticate(directory, self.clock),
                self.sync,
                ReceivePacket(transactions, objects, self.clock, PROCESSES, limits),
                Lookups(transactions, objects, masterdata, self.clock, 1_000_000),
            )
        )
        self.objects = objects.objects
        self.read = 0

    async def upload(self, *messages: pb.UploadPacketRequest, token: str | None = None) -> Any:
        async def sent() -> AsyncIterator[pb.UploadPacketRequest]:
            for message in messages:
                self.read += 1
                yield message

        token = token or a_machine_token(now=self.clock.now())
        metadata = (("authorization", f"Bearer {token}"),)
        context = SimpleNamespace(invocation_metadata=lambda: metadata)
        return await self.servicer.UploadPacket(sent(), context)

    async def refusal(self, *messages: pb.UploadPacketRequest, token: str | None = None) -> str:
        with pytest.raises(PlatformError) as refused:
            await self.upload(*messages, token=token)
        return refused.value.reason


@pytest.fixture
async def world() -> World:
    world = World()
    assert await world.sync(a_machine(), [ITEM]) == [None]
    return world


HEADER = pb.UploadPacketRequest(header=pb.UploadHeader(packet_id=ITEM.packet_id))
CHUNKS = [
    pb.UploadPacketRequest(chunk=CONTENT[start : start + 65_536])
    for start in range(0, len(CONTENT), 65_536)
]


async def test_a_header_and_then_the_bytes(world: World) -> None:
    response = await world.upload(HEADER, *CHUNKS)
    assert response.packet_id == ITEM.packet_id
    assert list(world.objects.values()) == [CONTENT]


async def test_the_header_comes_first_and_once(world: World) -> None:
    assert await world.refusal() == "UPLOAD_HEADER_MISSING"
    assert await world.refusal(*CHUNKS, HEADER) == "UPLOAD_HEADER_MISSING"
    assert await world.refusal(HEADER, CHUNKS[0], HEADER) == "UPLOAD_HEADER_REPEATED"
    assert world.objects == {}


async def test_what_is_refused_early_is_still_heard_out(world: World) -> None:
    stranger = pb.UploadPacketRequest(header=pb.UploadHeader(packet_id="unknown"))
    assert await world.refusal(stranger, *CHUNKS) == "PACKET_NOT_SYNCED"
    assert world.read == 1 + len(CHUNKS)


async def test_but_not_for_ever(world: World) -> None:
    assert await world.refusal(*[CHUNKS[0]] * 1000) == "UPLOAD_HEADER_MISSING"
    assert world.read <= 2 + module.LINGER_BYTES // len(CHUNKS[0].chunk)


async def test_nor_for_those_who_are_nobody(world: World) -> None:
    with pytest.raises(Unauthenticated):
        await world.upload(HEADER, *CHUNKS, token="a.b.c")
    assert world.read == 0
