"""Seeded outages, lost answers, cancelled workers: what must hold, holds."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from services.common.errors import Unavailable
from services.processing.domain.case import Decision
from services.processing.domain.registration import RegistrationState
from tests.fakes.clock import FakeClock
from tests.fakes.processing import FakeStore
from tests.fakes.processing_service import ProcessingUnderTest, assemble

_OUTAGES = (
    ("packets", "download"),
    ("masterdata", "machine"),
    ("abis", "insert"),
    ("abis", "insert:answer"),
    ("abis", "identify"),
    ("identities", "create"),
    ("identities", "create:answer"),
    ("identities", "publish"),
    ("identities", "notify"),
)


async def run(seed: int) -> tuple[ProcessingUnderTest, FakeStore, dict[str, int]]:
    """Enrol three people, one of them three times, while things fail; return the RIDs' owners."""
    rng = random.Random(seed)
    clock = FakeClock()
    store = FakeStore(clock)
    processing = await assemble(store, clock)
    bodies = [1, 1, 1, 2, 3]
    rng.shuffle(bodies)
    owner = {}
    for number, body in enumerate(bodies):
        rid = await processing.enrol(10 + number, session=number, looks_like=body)
        owner[rid] = body
    for _ in range(25):
        for _ in range(rng.randrange(3)):
            part, method = rng.choice(_OUTAGES)
            getattr(processing, part).fail(method, Unavailable("UPSTREAM_UNAVAILABLE", "Away."))
        if rng.random() < 0.3:
            store.fail_commit_with(Unavailable("DATABASE_UNAVAILABLE", "Away."))
        tasks = [asyncio.create_task(_once(processing)) for _ in range(3)]
        for _ in range(rng.randrange(60)):
            await asyncio.sleep(0)
        if rng.random() < 0.4:
            rng.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        clock.advance(rng.choice((0.1, 2.0, 31.0)))
    for part in ("packets", "masterdata", "abis", "identities"):
        getattr(processing, part).failures.clear()
    for _ in range(12):
        with suppress(Unavailable):
            await processing.work()
        clock.advance(61)
        # The adjudicator knows everybody.
        for case in list(store.tables.cases.values()):
            if case.decision is None:
                same = {owner[each.registration_id] for each in case.candidates}
                assert owner[case.registration_id] in same, seed
                await processing.decide(case.case_id, Decision.DUPLICATE, "same", by="ada")
    return processing, store, owner


async def _once(processing: ProcessingUnderTest) -> None:
    with suppress(Unavailable):
        while await processing.worker().work_once():
            pass


@pytest.mark.parametrize("seed", range(12))
async def test_of_one_person_exactly_one_registration_passes(seed: int) -> None:
    processing, store, owner = await run(seed)
    states = store.tables.states()
    for body in (1, 2, 3):
        mine = [states[rid] for rid in owner if owner[rid] == body]
        assert mine.count(RegistrationState.PROCESSED) == 1, (seed, body, mine)
        rest = [state for state in mine if state is not RegistrationState.PROCESSED]
        assert set(rest) <= {RegistrationState.REJECTED}, (seed, body, mine)
    passed = {rid for rid, state in states.items() if state is RegistrationState.PROCESSED}
    assert set(processing.identities.created) == passed, seed
    for rid in passed:
        done = [stage for stage, kind, _ in store.tables.journal_of(rid) if kind == "continue"]
        assert done == list(dict.fromkeys(done)), (seed, "a stage was done twice")
        assert [event for event in store.tables.events if event[0] == rid] == [  # type: ignore[index]
            (rid, RegistrationState.PROCESSING),
            (rid, RegistrationState.PROCESSED),
        ]
