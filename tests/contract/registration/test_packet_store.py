"""The store of packets: the fake and PostgreSQL alike."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from services.common.clock import SystemClock
from services.registration.domain.machine import Machine
from services.registration.domain.packet import ExternalStatus, Packet, Processes, SyncRefusal
from services.registration.ports import Transactions
from services.registration.store import PostgresTransactions
from services.registration.usecases.sync import SyncRegistrations
from tests.builders import CAPTURED_AT, a_rid, a_sync_item
from tests.conftest import MakeDatabase
from tests.fakes.registration import FakeMasterdata, FakeTransactions

NOW = CAPTURED_AT + timedelta(hours=1)


@pytest.fixture
def fake_transactions() -> FakeTransactions:
    return FakeTransactions()


@pytest.fixture
async def postgres_transactions(make_database: MakeDatabase) -> PostgresTransactions:
    return PostgresTransactions(await make_database("registration"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def transactions(request: pytest.FixtureRequest) -> Transactions:
    return cast(Transactions, request.getfixturevalue(f"{request.param}_transactions"))


def a_packet(sequence: int = 1, *, minutes: int = 0, machine_id: str = "10077") -> Packet:
    item = a_sync_item(
        rid=a_rid(sequence, machine_id=machine_id),
        created_at=CAPTURED_AT + timedelta(minutes=minutes),
    )
    return Packet(
        item,
        "10001",
        machine_id,
        synced_at=CAPTURED_AT + timedelta(minutes=minutes),
        status_changed_at=CAPTURED_AT + timedelta(minutes=minutes),
    )


async def test_a_packet_is_added_once_and_comes_back_the_same(transactions: Transactions) -> None:
    packet = a_packet()
    changed = replace(packet, item=replace(packet.item, size=99))
    async with transactions() as store:
        assert await store.add(packet)
        assert not await store.add(changed)
        assert await store.get(packet.item.packet_id) == packet
        assert await store.get("nothing") is None


async def test_what_raises_leaves_nothing(transactions: Transactions) -> None:
    with pytest.raises(RuntimeError):
        async with transactions() as store:
            await store.add(a_packet())
            await store.publish_received(replace(a_packet(), received_at=NOW))
            await store.record("PACKET_RECEIVED", "10077", ("registration", "1"), {})
            raise RuntimeError
    async with transactions() as store:
        assert await store.get(a_packet().item.packet_id) is None


async def test_receiving_sets_the_instant_and_the_status(transactions: Transactions) -> None:
    packet = a_packet()
    async with transactions() as store:
        await store.add(packet)
        [locked] = await store.lock_registration(packet.item.registration_id)
        assert locked == packet
        received = await store.mark_received(packet.item.packet_id, NOW)
    assert received == replace(
        packet, received_at=NOW, status=ExternalStatus.RECEIVED, status_changed_at=NOW
    )


async def test_a_status_is_set_for_known_packets_only(transactions: Transactions) -> None:
    packet = a_packet()
    async with transactions() as store:
        await store.add(packet)
        status = ExternalStatus.REJECTED
        assert await store.set_status(packet.item.packet_id, status, "RPR-DDD", NOW)
        assert not await store.set_status("nothing", status, "", NOW)
        stored = await store.get(packet.item.packet_id)
    assert stored == replace(packet, status=status, status_reason="RPR-DDD", status_changed_at=NOW)


async def test_registrations_are_found_by_their_own_machine_only(
    transactions: Transactions,
) -> None:
    mine, resent, other = a_packet(), a_packet(minutes=5), a_packet(2)
    theirs = a_packet(machine_id="10078")
    async with transactions() as store:
        for packet in (resent, mine, other, theirs):
            await store.add(packet)
        rids = [mine.item.registration_id, theirs.item.registration_id]
        assert list(await store.of_registrations("10077", rids)) == [mine, resent]
        assert list(await store.of_registrations("10079", rids)) == []


async def test_packets_that_were_not_received_are_paged_by_id(transactions: Transactions) -> None:
    packets = [a_packet(number, minutes=number) for number in range(1, 6)]
    async with transactions() as store:
        for packet in packets:
            await store.add(packet)
        await store.lock_registration(packets[1].item.registration_id)
        await store.mark_received(packets[1].item.packet_id, NOW)
        before = CAPTURED_AT + timedelta(minutes=5)
        first = await store.not_received(before, "", 2)
        rest = await store.not_received(before, first[-1].item.packet_id, 2)
    assert [*first, *rest] == [packets[0], packets[2], packets[3]]


async def test_one_at_a_time_holds_a_registration(transactions: Transactions) -> None:
    packet = a_packet()
    async with transactions() as store:
        await store.add(packet)
    received: list[bool] = []

    async def receive() -> None:
        async with transactions() as store:
            [locked] = await store.lock_registration(packet.item.registration_id)
            received.append(locked.received_at is None)
            await asyncio.sleep(0.05)
            if locked.received_at is None:
                await store.mark_received(packet.item.packet_id, NOW)

    await asyncio.gather(receive(), receive(), receive())
    assert sorted(received) == [False, False, True]


async def test_the_same_announcements_in_another_order_at_once_do_not_block_each_other(
    transactions: Transactions,
) -> None:
    machine = Machine("10077", "10001", b"", operational=True)
    sync = SyncRegistrations(
        transactions, FakeMasterdata(), SystemClock(), Processes(frozenset({"NEW"}))
    )
    items = [a_sync_item(rid=a_rid(sequence)) for sequence in range(1, 101)]
    refused = replace(items[0], process="NONE")
    for _ in range(3):
        first, second = await asyncio.gather(
            sync(machine, [*items, refused]), sync(machine, [refused, *reversed(items)])
        )
        unknown = SyncRefusal("PROCESS_UNKNOWN", "RPR-RGS-003")
        assert first == [*[None] * 100, unknown]
        assert second == [unknown, *[None] * 100]
        items = [a_sync_item(rid=a_rid(int(each.registration_id[10:15]) + 100)) for each in items]
