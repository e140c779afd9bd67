from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from idmesh.audit.v1 import audit_events_pb2

from services.audit import convert
from services.audit.domain.record import RecordedAct, SearchFilter
from services.audit.store.log import Log
from services.audit.usecases.search_records import SearchRecords
from services.common.errors import InvalidArgument
from services.common.postgres import Database

pytestmark = [pytest.mark.integration, pytest.mark.postgres]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def an_act(number: int = 0, *, service: str = "identity") -> RecordedAct:
    event = audit_events_pb2.AuditRecorded(
        audit_id=uuid4().bytes,
        service=service,
        action="UIN_ISSUED",
        outcome=audit_events_pb2.OUTCOME_SUCCEEDED,
        actor=audit_events_pb2.Actor(kind="service", id="processing"),
        subject=audit_events_pb2.Subject(kind="registration", key=b"\x01" * 16),
        details={"number": str(number), "b": "2", "a": "1"},
    )
    event.acted_at.FromDatetime(NOW + timedelta(seconds=number))
    return convert.act_from_event(event)


@pytest.fixture
async def database(make_database: Callable[[str], Awaitable[Database]]) -> Database:
    return await make_database("audit")


@pytest.fixture
def log(database: Database) -> Log:
    return Log(database, lambda raw: convert.act_from_event(convert.event_from_canonical(raw)))


async def append(database: Database, log: Log, acts: list[RecordedAct]) -> int:
    async with database.transaction() as connection:
        return await log.append(connection, acts)


async def test_records_stand_in_order_without_gaps_and_hash_as_rfc_6962_leaves(
    database: Database, log: Log
) -> None:
    acts = [an_act(number) for number in range(5)]
    assert await append(database, log, acts) == 5
    found = await log.search(SearchFilter(), below_index=None, limit=10)
    assert [record.index for record in found] == [4, 3, 2, 1, 0]
    assert [record.act for record in found[::-1]] == acts
    expected = hashlib.sha256(b"\0" + acts[0].canonical).digest()
    assert found[-1].leaf_hash == expected


async def test_an_act_that_comes_again_is_not_appended_again(database: Database, log: Log) -> None:
    acts = [an_act(1), an_act(2)]
    await append(database, log, acts)
    assert await append(database, log, [acts[1], an_act(3), acts[0]]) == 1
    found = await log.search(SearchFilter(), below_index=None, limit=10)
    assert [record.index for record in found] == [2, 1, 0]


async def test_followers_that_append_at_the_same_time_leave_no_gap(
    database: Database, log: Log
) -> None:
    batches = [[an_act(service=f"s{n}") for _ in range(7)] for n in range(9)]
    await asyncio.gather(*(append(database, log, batch) for batch in batches))
    found = await log.search(SearchFilter(), below_index=None, limit=100)
    assert [record.index for record in found[::-1]] == list(range(63))


async def test_a_failed_append_leaves_the_size_as_it_was(database: Database, log: Log) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await log.append(connection, [an_act()])
            raise ZeroDivisionError
    assert await append(database, log, [an_act()]) == 1
    assert (await log.search(SearchFilter(), below_index=None, limit=1))[0].index == 0


@pytest.mark.parametrize(
    "statement", ["update record set action = 'X'", "delete from record", "truncate record"]
)
async def test_the_log_refuses_to_be_rewritten(
    database: Database, log: Log, statement: str
) -> None:
    await append(database, log, [an_act()])
    with pytest.raises(asyncpg.PostgresError):
        await database.execute(statement)
    assert len(await log.search(SearchFilter(), below_index=None, limit=2)) == 1


async def test_search_filters_and_pages(database: Database, log: Log) -> None:
    await append(database, log, [an_act(n, service="ab"[n % 2]) for n in range(10)])
    search = SearchRecords(log)
    wanted = SearchFilter(service="a", acted_from=NOW + timedelta(seconds=2))
    first = await search(wanted, page_size=3, page_token="")
    second = await search(wanted, page_size=3, page_token=first.next_page_token)
    assert [record.index for record in first.records + second.records] == [8, 6, 4, 2]
    assert second.next_page_token == ""
    with pytest.raises(InvalidArgument):
        await search(wanted, page_size=3, page_token="nonsense")
