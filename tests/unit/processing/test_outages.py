"""Outages are waited out at their stage, and a lease that is over commits nothing."""

from __future__ import annotations

import asyncio

import pytest

from services.common.errors import InvalidArgument, PlatformError, Unavailable
from services.processing.domain.registration import Registration, RegistrationState
from services.processing.usecases import worker
from services.processing.usecases.work import Result, Work
from tests.fakes.clock import FakeClock
from tests.fakes.processing import FakeStore
from tests.fakes.processing_service import ProcessingUnderTest

PROCESSING, PROCESSED = RegistrationState.PROCESSING, RegistrationState.PROCESSED
STAGES = [
    "open_packet",
    "demographic_duplicates",
    "biometric_insert",
    "biometric_duplicates",
    "adjudicate",
    "uin",
    "publish",
    "notify",
]


@pytest.mark.parametrize(
    ("outage", "stage"),
    [
        ("packets.download", "open_packet"),
        ("masterdata.packet_key", "open_packet"),
        ("masterdata.machine", "open_packet"),
        ("masterdata.id_schema", "open_packet"),
        ("abis.insert", "biometric_insert"),
        ("abis.insert:answer", "biometric_insert"),
        ("abis.identify", "biometric_duplicates"),
        ("identities.create", "uin"),
        ("identities.create:answer", "uin"),
        ("identities.publish", "publish"),
        ("identities.notify", "notify"),
    ],
)
async def test_an_outage_is_waited_out_at_its_stage(
    processing: ProcessingUnderTest,
    store: FakeStore,
    clock: FakeClock,
    outage: str,
    stage: str,
) -> None:
    rid = await processing.enrol(1)
    part, _, method = outage.partition(".")
    getattr(processing, part).fail(method, *[away()] * 3)
    for attempt in range(1, 4):
        await processing.work()
        assert await processing.state_of(rid) == (PROCESSING, stage, "UPSTREAM_UNAVAILABLE")
        assert store.tables.rows[rid].registration.attempts == attempt
        clock.advance(1)
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    done = [entry[0] for entry in store.tables.journal_of(rid) if entry[1] == "continue"]
    assert done == STAGES
    assert len(processing.identities.created) == len(store.tables.events) - 1 == 1


async def test_vault_sealed_is_waited_out(
    processing: ProcessingUnderTest, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    processing.vault.fail_with(Unavailable("VAULT_SEALED", "Sealed.", retry_after_s=5.0))
    await processing.work()
    assert await processing.state_of(rid) == (PROCESSING, "open_packet", "VAULT_SEALED")
    processing.vault.fail_with(None)
    clock.advance(4.9)
    assert await processing.work() == 0
    clock.advance(0.2)
    assert await processing.work() == 1
    assert (await processing.state_of(rid))[0] is PROCESSED


async def test_a_bug_in_a_stage_stops_one_registration_and_no_neighbour(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    poison = await processing.enrol(1)
    good = [await processing.enrol(person) for person in (2, 3)]
    insert = processing.stages["biometric_insert"]

    async def trip(work: Work) -> Result:
        if work.registration.registration_id == poison:
            raise ZeroDivisionError
        return await insert(work)

    worker = processing.worker(biometric_insert=trip)
    for _ in range(5):
        while await worker.work_once():
            pass
        clock.advance(1)
    assert await processing.state_of(poison) == (PROCESSING, "biometric_insert", "INTERNAL")
    assert store.tables.rows[poison].registration.attempts == 5
    assert [store.tables.states()[rid] for rid in good] == [PROCESSED, PROCESSED]


async def test_a_worker_stopped_past_its_lease_commits_nothing(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    asleep, wake = asyncio.Event(), asyncio.Event()
    create = processing.stages["uin"]

    async def sleep_in_stage(work: Work) -> Result:
        asleep.set()
        await wake.wait()
        return await create(work)

    stopped = asyncio.create_task(processing.worker(uin=sleep_in_stage).work_once())
    await asleep.wait()
    clock.advance(31)
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    before = list(store.tables.journal)
    wake.set()
    await stopped
    assert store.tables.journal == before
    assert store.tables.events == [(rid, PROCESSING), (rid, PROCESSED)]


async def test_a_lease_that_is_over_cannot_commit_even_if_nobody_took_it(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    insert = processing.stages["biometric_insert"]

    async def dawdle(work: Work) -> Result:
        result = await insert(work)
        clock.advance(31)
        return result

    await processing.worker(biometric_insert=dawdle).work_once()
    assert (await processing.state_of(rid))[:2] == (PROCESSING, "biometric_insert")
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED


async def test_a_cancelled_worker_gives_its_registration_back_at_once(
    processing: ProcessingUnderTest,
) -> None:
    rid = await processing.enrol(1)
    entered = asyncio.Event()

    async def stay(work: Work) -> Result:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    running = asyncio.create_task(processing.worker(publish=stay).run())
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await processing.state_of(rid))[:2] == (PROCESSING, "publish")
    assert await processing.work() == 1
    assert (await processing.state_of(rid))[0] is PROCESSED
    assert processing.packets.calls == ["download"]


async def test_a_commit_that_fails_leaves_the_stage_to_be_done_again(
    processing: ProcessingUnderTest, store: FakeStore, clock: FakeClock
) -> None:
    rid = await processing.enrol(1)
    create = processing.stages["uin"]

    async def then_lose_the_database(work: Work) -> Result:
        result = await create(work)
        store.fail_commit_with(Unavailable("DATABASE_UNAVAILABLE", "Away."))
        return result

    with pytest.raises(Unavailable):
        await processing.worker(uin=then_lose_the_database).work_once()
    assert (await processing.state_of(rid))[:2] == (PROCESSING, "uin")
    await processing.work()
    assert (await processing.state_of(rid))[0] is PROCESSED
    assert len(processing.identities.created) == 1


async def test_a_bug_in_a_commit_stops_no_worker(
    processing: ProcessingUnderTest,
    store: FakeStore,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_DATABASE_AWAY_S", 0.01)
    poison, good = [await processing.enrol(person) for person in (1, 2)]
    publish = processing.stages["publish"]

    async def trip(work: Work) -> Result:
        result = await publish(work)
        if work.registration.registration_id != poison:
            return result

        async def raises(_: object) -> None:
            raise ZeroDivisionError

        return Result(result.outcome, raises)

    running = asyncio.create_task(processing.worker(publish=trip).run())
    try:
        async with asyncio.timeout(5):
            while store.tables.states()[good] is not PROCESSED:
                clock.advance(0.001)
                await asyncio.sleep(0.01)
        assert not running.done()
        assert (await processing.state_of(poison))[:2] == (PROCESSING, "publish")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_template_that_abis_refuses_first_in_the_demographic_search_fails(
    processing: ProcessingUnderTest,
) -> None:
    await processing.enrol(1)
    await processing.work()
    malformed = InvalidArgument("PROBE_MALFORMED", "A template does not parse.")
    processing.abis.fail("identify", malformed)
    rid = await processing.enrol(1, session=2)
    await processing.work()
    failed = (RegistrationState.FAILED, "demographic_duplicates", "TEMPLATE_MALFORMED")
    assert await processing.state_of(rid) == failed


async def test_the_heartbeat_keeps_a_long_stage_leased(
    processing: ProcessingUnderTest, store: FakeStore
) -> None:
    rid = await processing.enrol(1)
    extended: list[Registration] = []
    publish = processing.stages["publish"]

    async def long(work: Work) -> Result:
        first = store.tables.rows[rid].leased_until
        await asyncio.sleep(0.15)
        extended.append(store.tables.rows[rid].registration)
        assert first is not None
        return await publish(work)

    worker = processing.worker(lease_s=0.1, publish=long)
    await worker.work_once()
    assert extended
    assert (await processing.state_of(rid))[0] is PROCESSED


def away() -> PlatformError:
    return Unavailable("UPSTREAM_UNAVAILABLE", "Away.")
