"""Leases over a real PostgreSQL, with everything else in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.common.clock import SystemClock
from services.common.postgres import Database
from services.processing.domain.registration import RegistrationState
from services.processing.store.registrations import PostgresStore
from services.processing.usecases.work import Result, Work
from tests.fakes.processing_service import ProcessingUnderTest, assemble

pytestmark = [pytest.mark.integration, pytest.mark.postgres]


@pytest.fixture
async def database(make_database: Callable[[str], Awaitable[Database]]) -> Database:
    return await make_database("processing")


@pytest.fixture
async def processing(database: Database) -> ProcessingUnderTest:
    return await assemble(PostgresStore(database), SystemClock())


async def test_a_worker_stopped_past_its_lease_and_woken_commits_nothing(
    processing: ProcessingUnderTest, database: Database
) -> None:
    rid = await processing.enrol(1)
    asleep, wake = asyncio.Event(), asyncio.Event()
    uin = processing.stages["uin"]

    async def stop_here(work: Work) -> Result:
        asleep.set()
        # The whole worker stands still, its heartbeat too.
        async with asyncio.timeout(10):
            await wake.wait()
        return await uin(work)

    worker = processing.worker(lease_s=0.4, uin=stop_here)
    worker._beat = lambda work: asyncio.sleep(60)  # type: ignore[method-assign]
    stopped = asyncio.create_task(worker.work_once())
    async with asyncio.timeout(10):
        await asleep.wait()
        await asyncio.sleep(0.5)
        assert await processing.work() == 1
    assert (await processing.state_of(rid))[0] is RegistrationState.PROCESSED
    before = await rows_of(database)
    wake.set()
    assert await stopped
    assert await rows_of(database) == before
    assert list(processing.identities.created) == [rid]


async def test_a_stage_longer_than_the_lease_is_kept_by_the_heartbeat(
    processing: ProcessingUnderTest,
) -> None:
    rid = await processing.enrol(1)
    publish = processing.stages["publish"]
    rivals: list[int] = []

    async def long(work: Work) -> Result:
        for _ in range(6):
            await asyncio.sleep(0.2)
            rivals.append(await processing.work())
        return await publish(work)

    await processing.worker(lease_s=0.6, publish=long).work_once()
    assert rivals == [0] * 6
    assert (await processing.state_of(rid))[0] is RegistrationState.PROCESSED


async def test_many_workers_run_each_registration_once(
    processing: ProcessingUnderTest, database: Database
) -> None:
    rids = [await processing.enrol(number) for number in range(12)]

    async def work() -> int:
        worker, leases = processing.worker(), 0
        while await worker.work_once():
            leases += 1
        return leases

    assert sum(await asyncio.gather(*(work() for _ in range(5)))) == 12
    for rid in rids:
        assert (await processing.state_of(rid))[0] is RegistrationState.PROCESSED
    per_stage = await database.fetch(
        "select stage, count(*) from journal where outcome = 'continue' group by stage"
    )
    assert {row["count"] for row in per_stage} == {12}
    assert len(per_stage) == 8


async def rows_of(database: Database) -> list[object]:
    query = (
        "select (select count(*) from journal), (select count(*) from feed), t from registration t"
    )
    return [tuple(row) for row in await database.fetch(query)]
