from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from idmesh.audit.v1 import audit_events_pb2

from services.audit import convert
from services.audit.domain.record import Outcome, RecordedAct, SearchFilter
from services.audit.store.log import Log
from services.audit.usecases.search_records import SearchRecords
from services.common.errors import InvalidArgument
from services.common.postgres import Database
from tests.fakes.audit import FakeActs, FakeLog

pytestmark = [pytest.mark.integration, pytest.mark.postgres]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def an_act(number: int = 0, *, service: str = "identity", **more: Any) -> RecordedAct:
    event = audit_events_pb2.AuditRecorded(
        audit_id=uuid4().bytes,
        service=service,
        action="UIN_ISSUED",
        outcome=audit_events_pb2.OUTCOME_SUCCEEDED,
        actor=audit_events_pb2.Actor(kind="service", id="processing"),
        subject=audit_events_pb2.Subject(kind="registration", key=b"\x01" * 16),
        details={"number": str(number), "b": "2", "a": "1"},
    )
    event.MergeFrom(audit_events_pb2.AuditRecorded(**more))
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
    "statement",
    [
        "update record set action = 'X'", "delete from record", "truncate record",
        "update checkpoint set size = 0", "delete from checkpoint", "truncate checkpoint",
    ],
)  # fmt: skip
async def test_the_log_refuses_to_be_rewritten(
    database: Database, postgres_admin_dsn: str, log: Log, statement: str
) -> None:
    await append(database, log, [an_act()])
    # The service's role lacks the right; whoever has it is stopped by the trigger.
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.execute(statement)
    name = await database.fetchval("select current_database()")
    administrator = await asyncpg.connect(postgres_admin_dsn, database=name)
    try:
        await administrator.execute("set search_path to audit")
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await administrator.execute(statement)
    finally:
        await administrator.close()
    assert len(await log.search(SearchFilter(), below_index=None, limit=2)) == 1


async def test_search_filters_and_pages(database: Database, log: Log) -> None:
    await append(database, log, [an_act(n, service="ab"[n % 2]) for n in range(10)])
    acts = FakeActs(FakeLog())
    search = SearchRecords(log, acts)
    wanted = SearchFilter(service="a", acted_from=NOW + timedelta(seconds=2))
    first = await search(wanted, page_size=3, page_token="")
    second = await search(wanted, page_size=3, page_token=first.next_page_token)
    assert [record.index for record in first.records + second.records] == [8, 6, 4, 2]
    assert second.next_page_token == ""
    with pytest.raises(InvalidArgument):
        await search(wanted, page_size=3, page_token="nonsense")
    # Who looks for what is an act as well.
    assert [action for action, *_ in acts.actions] == ["RECORDS_SEARCHED"] * 2
    details = acts.actions[0][3]
    assert (details["service"], details["shown"]) == ("a", "3")


async def test_search_finds_a_subject_a_request_an_actor_and_an_outcome(
    database: Database, log: Log
) -> None:
    subject = audit_events_pb2.Subject(kind="identity", key=b"\x02" * 16)
    acts = [
        an_act(0),
        an_act(1, subject=subject),
        an_act(2, correlation_id="request-1"),
        an_act(3, outcome=audit_events_pb2.OUTCOME_REFUSED),
        an_act(4, actor=audit_events_pb2.Actor(kind="operator", id="ada")),
        an_act(5, subject=audit_events_pb2.Subject(kind="case", key=b"\x02" * 16)),
    ]
    await append(database, log, acts)
    for wanted, expected in (
        (SearchFilter(subject_kind="identity", subject_key=b"\x02" * 16), [1]),
        (SearchFilter(subject_key=b"\x02" * 16), [5, 1]),
        (SearchFilter(correlation_id="request-1"), [2]),
        (SearchFilter(outcome=Outcome.REFUSED), [3]),
        (SearchFilter(actor_kind="operator", actor_id="ada"), [4]),
        (SearchFilter(acted_before=NOW + timedelta(seconds=1)), [0]),
        (SearchFilter(subject_key=b"\x03" * 16), []),
    ):
        found = await log.search(wanted, below_index=None, limit=10)
        assert [record.index for record in found] == expected, wanted


async def test_a_record_has_all_fields_of_mosips_audit_manager(
    database: Database, log: Log
) -> None:
    act = an_act(
        7,
        actor=audit_events_pb2.Actor(kind="operator", id="ada"),
        host=audit_events_pb2.Host(name="core-1", address="10.0.0.7"),
        module="/idmesh.identity.v1.IdentityService/CreateIdentity",
    )
    await append(database, log, [act])
    [record] = await log.search(SearchFilter(), below_index=None, limit=1)
    mosip = convert.record_to_proto(record).mosip
    assert all(value for _, value in mosip.ListFields())
    assert len(mosip.ListFields()) == len(mosip.DESCRIPTOR.fields)
    assert (mosip.event_id, mosip.event_type) == ("UIN_ISSUED", "USER")
    assert (mosip.host_name, mosip.host_ip) == ("core-1", "10.0.0.7")
    assert mosip.id == "01010101-0101-0101-0101-010101010101"
    assert (mosip.session_user_id, mosip.created_by) == ("ada", "identity")
    assert mosip.description == "a=1, b=2, number=7"


async def test_an_entry_that_the_trees_files_cannot_hold_is_refused(
    database: Database, log: Log
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await append(database, log, [an_act(module="m" * 65_536)])
