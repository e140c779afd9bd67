"""The store of masterdata: the fake and PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from services.common.errors import AlreadyExists, NotFound
from services.masterdata.domain.field import Centre, Machine
from services.masterdata.domain.id_schema import IdSchema
from services.masterdata.domain.packet_key import PacketKey
from services.masterdata.ports import Transactions
from services.masterdata.store import PostgresTransactions
from tests.builders import CAPTURED_AT as T0
from tests.conftest import MakeDatabase
from tests.fakes.masterdata import FakeMasterdataTransactions

HOUR = timedelta(hours=1)
CENTRE = Centre("10001", "Nord", True)
MACHINE = Machine("10077", "10001", "Desk", b"der", True)


@pytest.fixture
def fake_transactions() -> FakeMasterdataTransactions:
    return FakeMasterdataTransactions()


@pytest.fixture
async def postgres_transactions(make_database: MakeDatabase) -> PostgresTransactions:
    return PostgresTransactions(await make_database("masterdata"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def transactions(request: pytest.FixtureRequest) -> Transactions:
    return cast(Transactions, request.getfixturevalue(f"{request.param}_transactions"))


def a_packet_key(content: bytes = b"certificate", *, days: int = 365) -> PacketKey:
    return PacketKey(
        centre_id="10001",
        machine_id="10077",
        certificate=content,
        key_name="core/transit/pkt-10001",
        key_version=1,
        serial="0a",
        not_after=T0 + timedelta(days=days),
    )


async def test_a_centre_is_known_as_it_was(transactions: Transactions) -> None:
    async with transactions() as store:
        first = await store.put_centre(CENTRE, T0)
        assert await store.put_centre(CENTRE, T0 + HOUR) == first
        closed = await store.put_centre(replace(CENTRE, active=False), T0 + HOUR)
        assert first == replace(CENTRE, changed_at=T0)
        assert closed.changed_at == T0 + HOUR
        assert await store.get_centre("10001") == closed
        assert await store.get_centre("10001", T0 + HOUR / 2) == first
        assert await store.get_centre("10001", T0 + HOUR) == closed
        assert await store.get_centre("10001", T0 - HOUR) is None
        assert await store.get_centre("10002") is None


async def test_history_never_goes_back_when_the_clock_does(transactions: Transactions) -> None:
    async with transactions() as store:
        await store.put_centre(CENTRE, T0)
        closed = await store.put_centre(replace(CENTRE, active=False), T0 - HOUR)
        assert closed.changed_at is not None
        assert closed.changed_at > T0
        assert await store.get_centre("10001", closed.changed_at) == closed


async def test_centres_are_listed_by_id(transactions: Transactions) -> None:
    async with transactions() as store:
        for number in (3, 1, 2):
            await store.put_centre(replace(CENTRE, centre_id=f"1000{number}"), T0)
        first = await store.list_centres("", 2)
        rest = await store.list_centres(first[-1].centre_id, 2)
    assert [centre.centre_id for centre in (*first, *rest)] == ["10001", "10002", "10003"]


async def test_a_machine_is_known_as_it_was(transactions: Transactions) -> None:
    async with transactions() as store:
        await store.put_centre(CENTRE, T0)
        first = await store.put_machine(MACHINE, T0)
        moved = await store.put_machine(replace(MACHINE, name="Desk 2"), T0 + HOUR)
        assert await store.get_machine("10077") == moved
        assert await store.get_machine("10077", T0) == first
        assert await store.get_machine("10077", T0 - HOUR) is None
        assert await store.put_machine(replace(MACHINE, name="Desk 2"), T0 + 2 * HOUR) == moved


async def test_a_machine_needs_its_centre(transactions: Transactions) -> None:
    with pytest.raises(NotFound) as refused:
        async with transactions() as store:
            await store.put_machine(MACHINE, T0)
    assert refused.value.reason == "CENTRE_NOT_FOUND"


async def test_a_new_packet_key_replaces_and_the_old_stays_known(
    transactions: Transactions,
) -> None:
    old, new = a_packet_key(days=10), a_packet_key(b"renewed")
    async with transactions() as store:
        await store.put_centre(CENTRE, T0)
        machine = await store.put_machine(MACHINE, T0)
        await store.put_packet_key(old, T0)
        assert list(await store.machines_to_renew(T0 + timedelta(days=30), 5)) == [machine]
        await store.put_packet_key(new, T0 + HOUR)
        assert list(await store.machines_to_renew(T0 + timedelta(days=30), 5)) == []
        assert await store.packet_key_of_machine("10077") == new
        assert await store.packet_key_by_thumbprint(old.thumbprint) == old
        assert await store.packet_key_by_thumbprint(bytes(32)) is None


async def test_machines_that_are_not_active_are_not_renewed(transactions: Transactions) -> None:
    async with transactions() as store:
        await store.put_centre(CENTRE, T0)
        await store.put_machine(replace(MACHINE, active=False), T0)
        await store.put_packet_key(a_packet_key(days=1), T0)
        assert list(await store.machines_to_renew(T0 + timedelta(days=30), 5)) == []


async def test_a_schema_version_keeps_its_document(transactions: Transactions) -> None:
    schema = IdSchema(0.1, '{"a": 1}', T0)
    async with transactions() as store:
        assert await store.put_id_schema(schema, T0) == schema
        assert await store.put_id_schema(IdSchema(0.1, '{"a":1}', T0 + HOUR), T0) == schema
        await store.put_id_schema(IdSchema(0.2, "{}", T0 + HOUR), T0)
        assert await store.newest_id_schema(T0) == schema
        newest = await store.newest_id_schema(T0 + HOUR)
        assert newest is not None
        assert newest.version == 0.2
        assert await store.newest_id_schema(T0 - HOUR) is None
        assert await store.get_id_schema(3.0) is None
    with pytest.raises(AlreadyExists) as refused:
        async with transactions() as store:
            await store.put_id_schema(IdSchema(0.1, '{"a": 2}', T0), T0)
    assert refused.value.reason == "SCHEMA_VERSION_TAKEN"


async def test_what_raises_leaves_nothing(transactions: Transactions) -> None:
    with pytest.raises(RuntimeError):
        async with transactions() as store:
            await store.put_centre(CENTRE, T0)
            await store.record("CENTRE_ADDED", "centre", "10001", {})
            raise RuntimeError
    async with transactions() as store:
        assert await store.get_centre("10001") is None
