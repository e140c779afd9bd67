"""Announcements and uploads, honest and hostile, over fakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.common.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)
from services.registration.domain.machine import Machine
from services.registration.domain.packet import ExternalStatus, Packet, Processes, SyncItem
from services.registration.usecases.lookups import Lookups
from services.registration.usecases.receive import ReceivePacket, UploadLimits
from services.registration.usecases.sweep import SweepOrphans
from services.registration.usecases.sync import SyncRegistrations
from tests.builders import CAPTURED_AT, a_machine, a_rid, a_sync_item
from tests.fakes.clock import FakeClock
from tests.fakes.registration import FakeMasterdata, FakePacketObjects, FakeTransactions

CONTENT = b"sealed packet " * 1000
LIMITS = UploadLimits(
    max_packet_bytes=50_000, max_concurrent=3, max_concurrent_per_machine=2, idle_s=0.05
)
PROCESSES = Processes(frozenset({"NEW", "UPDATE"}), frozenset({"BIOMETRIC_CORRECTION"}))


async def chunks_of(content: bytes, size: int = 4096) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.transactions = FakeTransactions()
        self.objects = FakePacketObjects()
        self.masterdata = FakeMasterdata()
        self.masterdata.machines["10077"] = a_machine()
        shared = (self.transactions, self.objects, self.clock)
        self.sync = SyncRegistrations(self.transactions, self.masterdata, self.clock, PROCESSES)
        self.receive = ReceivePacket(*shared, PROCESSES, LIMITS)
        self.sweep = SweepOrphans(*shared)
        self.lookups = Lookups(
            self.transactions, self.objects, self.masterdata, self.clock, LIMITS.max_packet_bytes
        )

    async def synced(self, item: SyncItem | None = None) -> SyncItem:
        item = item or a_sync_item(CONTENT)
        assert await self.sync(a_machine(), [item]) == [None]
        return item

    async def upload(
        self, item: SyncItem, content: bytes = CONTENT, machine: Machine | None = None
    ) -> datetime:
        return await self.receive(machine or a_machine(), item.packet_id, chunks_of(content))

    async def refusal(self, item: SyncItem, content: bytes = CONTENT) -> PlatformError:
        with pytest.raises(PlatformError) as refused:
            await self.upload(item, content)
        return refused.value

    def packet(self, item: SyncItem) -> Packet:
        return self.transactions.tables.packets[item.packet_id]

    def set_status(self, item: SyncItem, status: ExternalStatus) -> None:
        packets = self.transactions.tables.packets
        packets[item.packet_id] = replace(packets[item.packet_id], status=status)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_packet_is_stored_published_and_recorded_before_the_answer(world: World) -> None:
    item = await world.synced()
    assert await world.upload(item) == world.clock.now()
    assert list(world.objects.objects.values()) == [CONTENT]
    tables = world.transactions.tables
    assert tables.published == [item.packet_id]
    assert [action for action, _, _ in tables.records] == ["PACKET_SYNCED", "PACKET_RECEIVED"]
    assert world.packet(item).status is ExternalStatus.RECEIVED


async def test_the_same_packet_again_is_answered_as_the_first_time(world: World) -> None:
    item = await world.synced()
    first = await world.upload(item)
    world.clock.advance(60)
    assert await world.upload(item) == first
    assert world.transactions.tables.published == [item.packet_id]
    refused = await world.refusal(item, CONTENT[:-1] + b"!")
    assert refused.reason == "PACKET_HASH_MISMATCH"


async def test_a_packet_that_nobody_announced_is_refused(world: World) -> None:
    refused = await world.refusal(a_sync_item(CONTENT))
    assert isinstance(refused, FailedPrecondition)
    assert (refused.reason, refused.metadata["mosip_code"]) == (
        "PACKET_NOT_SYNCED",
        "RPR-PKR-001",
    )


async def test_another_machine_cannot_upload_what_was_announced(world: World) -> None:
    item = await world.synced()
    with pytest.raises(FailedPrecondition) as refused:
        await world.upload(item, machine=a_machine("10078"))
    assert refused.value.reason == "PACKET_NOT_SYNCED"
    assert world.objects.started == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1], "PACKET_HASH_MISMATCH"),
        (b"", "PACKET_HASH_MISMATCH"),
        (b"x" + CONTENT[1:], "PACKET_HASH_MISMATCH"),
        (CONTENT + b"x", "PACKET_SIZE_MISMATCH"),
        (CONTENT * 100, "PACKET_SIZE_MISMATCH"),
    ],
)
async def test_bytes_that_were_not_announced_are_not_stored(
    world: World, content: bytes, reason: str
) -> None:
    item = await world.synced()
    refused = await world.refusal(item, content)
    assert isinstance(refused, InvalidArgument)
    assert refused.reason == reason
    assert world.objects.objects == {}
    assert world.packet(item).received_at is None
    await world.upload(item)


async def test_right_bytes_under_a_wrong_announced_size_are_refused(world: World) -> None:
    item = await world.synced(replace(a_sync_item(CONTENT), size=len(CONTENT) + 1))
    assert (await world.refusal(item)).reason == "PACKET_SIZE_MISMATCH"
    assert world.objects.objects == {}


async def test_a_packet_announced_above_the_limit_is_refused_unread(world: World) -> None:
    item = await world.synced(a_sync_item(bytes(50_001)))
    refused = await world.refusal(item, bytes(50_001))
    assert isinstance(refused, ResourceExhausted)
    assert refused.metadata["mosip_code"] == "RPR-PKR-002"
    assert refused.retry_after_s is None
    assert world.objects.started == 0


async def test_an_oversized_stream_is_cut_off_where_it_passes_the_limit(world: World) -> None:
    item = await world.synced()
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 4096
            yield bytes(4096)

    with pytest.raises(InvalidArgument):
        await world.receive(a_machine(), item.packet_id, endless())
    assert taken <= len(CONTENT) + 4096


async def test_an_upload_that_stalls_is_given_up(world: World) -> None:
    item = await world.synced()

    async def stalling() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        await asyncio.sleep(60)

    with pytest.raises(DeadlineExceeded):
        await world.receive(a_machine(), item.packet_id, stalling())
    assert world.objects.objects == {}
    await world.upload(item)


async def test_a_second_packet_of_a_registration_is_a_duplicate(world: World) -> None:
    first = await world.synced()
    later = CAPTURED_AT + timedelta(minutes=5)
    second = await world.synced(a_sync_item(CONTENT, created_at=later))
    await world.upload(first)
    refused = await world.refusal(second)
    assert isinstance(refused, AlreadyExists)
    assert refused.reason == "PACKET_DUPLICATE"
    assert len(world.objects.objects) == 1


async def test_of_two_packets_at_once_one_is_taken_and_the_other_leaves_nothing(
    world: World,
) -> None:
    first = await world.synced()
    later = CAPTURED_AT + timedelta(minutes=5)
    second = await world.synced(a_sync_item(CONTENT, created_at=later))
    results = await asyncio.gather(
        world.upload(first), world.upload(second), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["AlreadyExists", "datetime"]
    assert len(world.objects.objects) == 1
    assert len(world.transactions.tables.published) == 1


async def test_a_registration_that_was_asked_for_again_may_be_sent_again(world: World) -> None:
    first = await world.synced()
    await world.upload(first)
    world.set_status(first, ExternalStatus.RESEND)
    later = CAPTURED_AT + timedelta(minutes=5)
    second = await world.synced(a_sync_item(CONTENT, created_at=later))
    await world.upload(second)
    assert world.transactions.tables.published == [first.packet_id, second.packet_id]


async def test_a_process_that_adds_to_a_registration_is_no_duplicate(world: World) -> None:
    await world.upload(await world.synced())
    later = CAPTURED_AT + timedelta(minutes=5)
    item = a_sync_item(CONTENT, created_at=later, process="BIOMETRIC_CORRECTION")
    await world.upload(await world.synced(item))


async def test_the_same_packet_uploaded_twice_at_once_is_received_once(world: World) -> None:
    item = await world.synced()
    assert len(set(await asyncio.gather(world.upload(item), world.upload(item)))) == 1
    assert world.transactions.tables.published == [item.packet_id]


async def test_a_crash_between_object_and_row_loses_nothing(world: World) -> None:
    item = await world.synced()
    world.transactions.fail_commits.append(Unavailable("DATABASE_UNAVAILABLE", "It is away."))
    assert isinstance(await world.refusal(item), Unavailable)
    assert len(world.objects.objects) == 1
    await world.upload(item)
    assert world.transactions.tables.published == [item.packet_id]


async def test_the_sweep_takes_orphans_and_nothing_else(world: World) -> None:
    orphan = await world.synced()
    world.transactions.fail_commits.append(Unavailable("DATABASE_UNAVAILABLE", "It is away."))
    await world.refusal(orphan)
    kept = await world.synced(a_sync_item(CONTENT, rid=a_rid(2)))
    await world.upload(kept)
    assert await world.sweep() == 0
    world.clock.advance(3601)
    assert await world.sweep() == 1
    assert list(world.objects.objects) == [world.packet(kept).object_key]
    await world.upload(orphan)


async def test_an_object_swept_away_under_an_upload_is_noticed(world: World) -> None:
    item = await world.synced()
    put_once = world.objects.put_once

    async def swept_at_once(key: str, chunks: AsyncIterator[bytes], max_bytes: int) -> None:
        await put_once(key, chunks, max_bytes)
        await world.objects.delete(key)

    world.objects.put_once = swept_at_once  # type: ignore[method-assign]
    refused = await world.refusal(item)
    assert isinstance(refused, Unavailable)
    assert refused.retry_after_s is not None
    assert world.packet(item).received_at is None


async def test_something_else_under_the_packets_name_is_replaced(world: World) -> None:
    item = await world.synced()
    world.objects.objects[world.packet(item).object_key] = b"torn"
    assert isinstance(await world.refusal(item), Unavailable)
    await world.upload(item)
    assert world.objects.objects[world.packet(item).object_key] == CONTENT


async def test_too_many_uploads_are_asked_to_come_again(world: World) -> None:
    items = [await world.synced(a_sync_item(CONTENT, rid=a_rid(n))) for n in range(1, 4)]
    release = asyncio.Event()

    async def held(content: bytes) -> AsyncIterator[bytes]:
        await release.wait()
        yield content

    def start(item: SyncItem) -> asyncio.Task[datetime]:
        return asyncio.ensure_future(world.receive(a_machine(), item.packet_id, held(CONTENT)))

    running = [start(item) for item in items[:2]]
    await asyncio.sleep(0)
    refused = await world.refusal(items[2])
    assert isinstance(refused, ResourceExhausted)
    assert refused.reason == "UPLOADS_BUSY"
    assert refused.retry_after_s is not None
    release.set()
    await asyncio.gather(*running)
    await world.upload(items[2])


async def test_announcements_are_answered_one_by_one(world: World) -> None:
    good = a_sync_item(CONTENT)
    other = a_rid(7)
    items = [
        good,
        replace(a_sync_item(CONTENT, rid=other), process="NOVEL"),
        replace(good, registration_id=str(a_rid(2))),
        a_sync_item(CONTENT, rid=a_rid(machine_id="10078")),
        a_sync_item(CONTENT, rid=a_rid(centre_id="10002")),
        replace(good, registration_id=str(a_rid())[:-1] + "9", packet_id=good.packet_id),
        replace(good, registration_id="9" * 29),
    ]
    refusals = await world.sync(a_machine(), items)
    reasons = [refusal.reason if refusal else None for refusal in refusals]
    assert reasons == [
        None,
        "PROCESS_UNKNOWN",
        "PACKET_ID_MISMATCH",
        "MACHINE_MISMATCH",
        "CENTRE_MISMATCH",
        "PACKET_ID_MISMATCH",
        "REGISTRATION_ID_INVALID",
    ]
    assert refusals[1] is not None
    assert refusals[1].mosip_code == "RPR-RGS-003"


async def test_an_announcement_repeats_but_does_not_change(world: World) -> None:
    item = await world.synced()
    await world.synced(item)
    assert len(world.transactions.tables.records) == 1
    for changed in (replace(item, size=item.size + 1), replace(item, sha256=bytes(32))):
        [refusal] = await world.sync(a_machine(), [changed])
        assert refusal is not None
        assert refusal.reason == "SYNC_CONFLICT"
    assert world.packet(item).item == item


async def test_packets_made_before_a_machine_moved_are_still_taken(world: World) -> None:
    world.masterdata.earlier["10077"] = a_machine(centre_id="10002")
    item = a_sync_item(CONTENT, rid=a_rid(centre_id="10002"))
    assert await world.sync(a_machine(), [item]) == [None]


async def test_statuses_are_of_the_machines_own_registrations(world: World) -> None:
    received, waiting = await world.synced(), await world.synced(a_sync_item(rid=a_rid(2)))
    await world.upload(received)
    asked = [waiting.registration_id, received.registration_id, str(a_rid(9))]
    found = await world.lookups.statuses(a_machine(), asked)
    assert [(each.item.packet_id, each.status) for each in found] == [
        (waiting.packet_id, ExternalStatus.UPLOAD_PENDING),
        (received.packet_id, ExternalStatus.RECEIVED),
    ]
    assert await world.lookups.statuses(a_machine("10078"), asked) == []


async def test_of_several_packets_the_one_received_last_tells_the_status(world: World) -> None:
    first = await world.synced()
    await world.upload(first)
    world.set_status(first, ExternalStatus.RESEND)
    later = CAPTURED_AT + timedelta(minutes=5)
    second = await world.synced(a_sync_item(CONTENT, created_at=later))
    [found] = await world.lookups.statuses(a_machine(), [first.registration_id])
    assert found.status is ExternalStatus.RESEND
    world.clock.advance(1)
    await world.upload(second)
    [found] = await world.lookups.statuses(a_machine(), [first.registration_id])
    assert found.item.packet_id == second.packet_id


async def test_a_download_gives_what_was_received_and_nothing_else(world: World) -> None:
    item = await world.synced()
    with pytest.raises(NotFound) as refused:
        [chunk async for chunk in world.lookups.download(item.packet_id)]
    assert refused.value.reason == "PACKET_NOT_FOUND"
    await world.upload(item)
    chunks = [chunk async for chunk in world.lookups.download(item.packet_id)]
    assert b"".join(chunks) == CONTENT
    world.objects.objects.clear()
    with pytest.raises(NotFound) as refused:
        [chunk async for chunk in world.lookups.download(item.packet_id)]
    assert refused.value.reason == "PACKET_NOT_FOUND"
