"""Processing's store in memory and in PostgreSQL behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast
from uuid import uuid4

import pytest

from services.common.clock import SystemClock
from services.common.postgres import Database
from services.processing.domain.flow import Ended, Outcome, fail, go_on, hold, retry
from services.processing.domain.registration import (
    GalleryPosition,
    LeaseLostError,
    Received,
    Registration,
    RegistrationState,
)
from services.processing.ports import LookupKey, Store
from services.processing.store.registrations import PostgresStore
from tests.fakes.processing import FakeStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LEASE_S = 30.0
PROCESSING, PAUSED = RegistrationState.PROCESSING, RegistrationState.PAUSED
PROCESSED, FAILED = RegistrationState.PROCESSED, RegistrationState.FAILED


@pytest.fixture
def fake_store() -> FakeStore:
    return FakeStore(SystemClock())


@pytest.fixture
async def postgres_store(make_database: Callable[[str], Awaitable[Database]]) -> PostgresStore:
    return PostgresStore(await make_database("processing"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    return cast(Store, request.getfixturevalue(f"{request.param}_store"))


def a_packet(number: int) -> Received:
    rid = f"{number:029d}"
    return Received(rid, f"{rid}-p", "NEW", "10001", "10077", b"\x01" * 32, 42, NOW, True)


async def add(store: Store, *numbers: int) -> None:
    for number in numbers:
        async with store.transaction() as tx:
            assert await tx.add(a_packet(number), "first")


async def claim(store: Store, lease_s: float = LEASE_S) -> Registration:
    async with store.transaction() as tx:
        claimed = await tx.claim(lease_s)
    assert claimed is not None
    return claimed


async def advance(
    store: Store,
    registration: Registration,
    outcome: Outcome,
    state: RegistrationState = PROCESSING,
    stage: str = "second",
    *,
    delay_s: float = 0.0,
    keep_lease: bool = False,
) -> Registration:
    async with store.transaction() as tx:
        return await tx.advance(
            registration,
            [Ended(registration.stage, outcome, 0.5)],
            state=state,
            stage=stage,
            delay_s=delay_s,
            keep_lease=keep_lease,
        )


async def get(store: Store, number: int) -> Registration:
    async with store.transaction() as tx:
        found = await tx.registration(f"{number:029d}")
    assert found is not None
    return found


async def test_a_packet_is_added_once(store: Store) -> None:
    await add(store, 1)
    async with store.transaction() as tx:
        assert not await tx.add(a_packet(1), "first")
        assert not await tx.add(replace(a_packet(2), packet_id=a_packet(1).packet_id), "first")
        assert await tx.registration("2" * 29) is None
    found = await get(store, 1)
    assert (found.received, found.state, found.stage) == (a_packet(1), PROCESSING, "first")
    assert (found.attempts, found.position, found.reason) == (0, None, "")


async def test_a_registration_is_leased_to_one_worker(store: Store) -> None:
    await add(store, 1, 2)
    first, second = await claim(store), await claim(store)
    assert [first.registration_id, second.registration_id] == [f"{n:029d}" for n in (1, 2)]
    assert (first.attempts, first.token) == (1, 1)
    async with store.transaction() as tx:
        assert await tx.claim(LEASE_S) is None


async def test_a_lease_that_is_over_is_taken_by_another_and_fences_the_first(
    store: Store,
) -> None:
    await add(store, 1)
    first = await claim(store, 0.02)
    await asyncio.sleep(0.05)
    with pytest.raises(LeaseLostError):
        await advance(store, first, go_on())
    second = await claim(store)
    assert (second.attempts, second.token) == (2, 2)
    with pytest.raises(LeaseLostError):
        await advance(store, first, go_on())
    async with store.transaction() as tx:
        with pytest.raises(LeaseLostError):
            await tx.extend(first.registration_id, first.token, 9.0)
        with pytest.raises(LeaseLostError):
            await tx.hold_lease(first.registration_id, first.token)
    async with store.transaction() as tx:
        await tx.release(first.registration_id, first.token)
        await tx.hold_lease(second.registration_id, second.token)
    assert (await advance(store, second, go_on())).stage == "second"


async def test_a_lease_is_extended_and_given_back(store: Store) -> None:
    await add(store, 1)
    claimed = await claim(store, 0.1)
    async with store.transaction() as tx:
        await tx.extend(claimed.registration_id, claimed.token, 30.0)
    await asyncio.sleep(0.15)
    async with store.transaction() as tx:
        assert await tx.claim(LEASE_S) is None
        await tx.release(claimed.registration_id, claimed.token)
    assert (await claim(store)).token == 2


async def test_an_outcome_moves_the_stage_and_stands_in_the_journal(store: Store) -> None:
    await add(store, 1)
    claimed = await claim(store)
    moved = await advance(store, claimed, go_on("WHY"), keep_lease=True)
    assert (moved.stage, moved.attempts, moved.token) == ("second", 1, claimed.token)
    ended = await advance(store, moved, fail("BAD", "X-1"), FAILED, "second")
    assert (ended.state, ended.reason, ended.mosip_code) == (FAILED, "BAD", "X-1")
    async with store.transaction() as tx:
        journal = await tx.journal_of(claimed.registration_id)
        assert await tx.claim(LEASE_S) is None
    assert [(e.stage, e.outcome, e.reason, e.duration_s) for e in journal] == [
        ("first", "continue", "WHY", 0.5),
        ("second", "fail", "BAD", 0.5),
    ]


async def test_a_retry_is_due_after_its_delay_and_counts_its_tries(store: Store) -> None:
    await add(store, 1)
    claimed = await claim(store)
    await advance(store, claimed, retry("AWAY"), stage="first", delay_s=0.1)
    async with store.transaction() as tx:
        assert await tx.claim(LEASE_S) is None
    await asyncio.sleep(0.15)
    again = await claim(store)
    assert (again.attempts, again.reason) == (2, "AWAY")


async def test_an_end_wakes_those_that_wait_for_it(store: Store) -> None:
    await add(store, 1, 2)
    first, second = await claim(store), await claim(store)
    waiting = hold("EARLIER", waits_for=first.registration_id, after_s=60)
    await advance(store, second, waiting, stage="first", delay_s=60.0)
    async with store.transaction() as tx:
        assert await tx.claim(LEASE_S) is None
    await advance(store, first, go_on(), PROCESSED)
    assert (await claim(store)).registration_id == second.registration_id


async def test_a_hold_for_one_that_has_ended_is_due_at_once(store: Store) -> None:
    await add(store, 1, 2)
    first, second = await claim(store), await claim(store)
    await advance(store, first, go_on(), PROCESSED)
    waiting = hold("EARLIER", waits_for=first.registration_id, after_s=60)
    await advance(store, second, waiting, stage="first", delay_s=60.0)
    assert (await claim(store)).registration_id == second.registration_id


async def test_a_paused_registration_is_not_claimed_until_it_is_resumed(store: Store) -> None:
    await add(store, 1)
    claimed = await claim(store)
    await advance(store, claimed, go_on(), PAUSED)
    async with store.transaction() as tx:
        assert await tx.claim(LEASE_S) is None
        await tx.resume(claimed.registration_id)
    assert (await get(store, 1)).state is PROCESSING
    again = await claim(store)
    assert (again.stage, again.attempts) == ("second", 1)


async def test_a_place_in_the_gallery_is_kept_and_found_by_reference(store: Store) -> None:
    await add(store, 1, 2)
    place = GalleryPosition(3, 2**63 + 1, 7)
    claimed = await claim(store)
    await advance(store, replace(claimed, position=place), go_on(), keep_lease=True)
    first, second = await get(store, 1), await get(store, 2)
    assert (first.position, second.position) == (place, None)
    async with store.transaction() as tx:
        found = await tx.registrations_of([first.reference_id, uuid4()])
        assert await tx.registrations_of([]) == []
    assert found == [first]


async def test_equal_keys_meet_and_know_who_was_earlier(store: Store) -> None:
    await add(store, 1, 2, 3)
    claimed = [await claim(store) for _ in range(3)]
    equal = {"eng": LookupKey(1, b"\xff" * 32), "ara": LookupKey(1, b"\x02" * 32)}
    matches = []
    for registration, keys in zip(
        claimed, (equal, {"eng": equal["eng"]}, {"eng": LookupKey(1, b"\x03" * 32)}), strict=True
    ):
        async with store.transaction() as tx:
            found = await tx.take_demographic_keys(
                registration.registration_id, registration.token, keys
            )
            matches.append([(m.registration.registration_id, m.earlier) for m in found])
    assert matches == [[], [(claimed[0].registration_id, True)], []]
    async with store.transaction() as tx:
        again = await tx.take_demographic_keys(claimed[0].registration_id, claimed[0].token, equal)
        assert [(m.registration.registration_id, m.earlier) for m in again] == [
            (claimed[1].registration_id, False)
        ]
        with pytest.raises(LeaseLostError):
            await tx.take_demographic_keys(claimed[0].registration_id, 99, equal)


async def test_registrations_come_newest_first_page_by_page(store: Store) -> None:
    await add(store, 1, 2, 3)
    await advance(store, await claim(store), fail("BAD", ""), FAILED)
    async with store.transaction() as tx:
        first = await tx.registrations(None, before=None, limit=2)
        rest = await tx.registrations(None, before=first[-1][0], limit=2)
        failed = await tx.registrations(FAILED, before=None, limit=9)
    order = [registration.registration_id for _, registration in first + rest]
    assert order == [f"{n:029d}" for n in (3, 2, 1)]
    assert [registration.registration_id for _, registration in failed] == [f"{1:029d}"]


async def test_references_of_the_refused_are_listed_until_forgotten(store: Store) -> None:
    await add(store, 1, 2)
    ended = await advance(store, await claim(store), fail("BAD", ""), FAILED)
    later = datetime.now(UTC) + timedelta(minutes=1)
    async with store.transaction() as tx:
        assert await tx.refused_references(
            ended_before=ended.changed_at - timedelta(seconds=9), limit=9
        ) == []  # fmt: skip
        found = await tx.refused_references(ended_before=later, limit=9)
        assert found == [(ended.registration_id, ended.reference_id)]
        await tx.forget_reference(ended.registration_id, uuid4())
        assert await tx.refused_references(ended_before=later, limit=9) == found
        await tx.forget_reference(ended.registration_id, ended.reference_id)
        assert await tx.refused_references(ended_before=later, limit=9) == []


async def test_another_packet_takes_the_place_of_one_that_failed_in_its_first_stage(
    store: Store,
) -> None:
    await add(store, 1)
    again = replace(a_packet(1), packet_id="another", size=43, sha256=b"\x02" * 32)
    async with store.transaction() as tx:
        assert not await tx.restart(again, "first")
    claimed = await claim(store)
    async with store.transaction() as tx:
        taken = {"eng": LookupKey(1, b"\x07" * 32)}
        await tx.take_demographic_keys(claimed.registration_id, claimed.token, taken)
    failed = await advance(store, claimed, fail("PACKET_TRUNCATED", ""), FAILED, stage="first")
    async with store.transaction() as tx:
        assert not await tx.restart(a_packet(1), "first")
        assert not await tx.restart(replace(again, process="UPDATE"), "first")
        assert not await tx.restart(again, "second")
        assert await tx.restart(again, "first")
    present = await get(store, 1)
    assert (present.state, present.stage, present.reason) == (PROCESSING, "first", "")
    assert present.received == again
    assert present.reference_id != failed.reference_id
    with pytest.raises(LeaseLostError):
        await advance(store, failed, go_on())
    reclaimed = await claim(store)
    assert reclaimed.token > failed.token
    await add(store, 2)
    other = await claim(store)
    async with store.transaction() as tx:
        # What the failed one had taken is forgotten.
        assert not await tx.take_demographic_keys(other.registration_id, other.token, taken)


async def test_a_registration_that_came_further_keeps_its_packet(store: Store) -> None:
    await add(store, 1)
    claimed = await claim(store)
    claimed = replace(claimed, position=GalleryPosition(1, 2, 3))
    await advance(store, claimed, fail("PACKET_TRUNCATED", ""), FAILED, stage="first")
    async with store.transaction() as tx:
        assert not await tx.restart(replace(a_packet(1), packet_id="another"), "first")


async def test_outcomes_of_one_commit_are_rows_in_their_order(store: Store) -> None:
    await add(store, 1)
    claimed = await store.claim(LEASE_S)
    assert claimed is not None
    assert await store.claim(LEASE_S) is None
    ended = [Ended("first", go_on("WHY"), 0.5), Ended("second", go_on(), 0.25)]
    after = await store.go_on(claimed, ended, "third")
    assert (after.stage, after.attempts, after.token) == ("third", 1, claimed.token)
    assert after == await get(store, 1)
    async with store.transaction() as tx:
        await tx.hold_lease(after.registration_id, after.token)
        journal = await tx.journal_of(claimed.registration_id)
    assert [(e.stage, e.outcome, e.reason, e.duration_s) for e in journal] == [
        ("first", "continue", "WHY", 0.5),
        ("second", "continue", "", 0.25),
    ]
    with pytest.raises(LeaseLostError):
        await store.go_on(replace(claimed, token=99), ended, "third")


async def test_what_raises_leaves_nothing(store: Store) -> None:
    await add(store, 1)
    claimed = await claim(store)
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await tx.advance(
                claimed,
                [Ended("first", go_on(), 0.0)],
                state=PROCESSED,
                stage="x",
                delay_s=0,
                keep_lease=False,
            )
            await tx.audit("REGISTRATION_PROCESSED", "registration", b"1")
            raise RuntimeError
    assert await get(store, 1) == claimed
    async with store.transaction() as tx:
        assert await tx.journal_of(claimed.registration_id) == []


@pytest.mark.postgres
async def test_many_workers_never_share_a_registration(postgres_store: PostgresStore) -> None:
    await add(postgres_store, *range(40))
    claimed: list[str] = []

    async def work() -> None:
        while True:
            async with postgres_store.transaction() as tx:
                registration = await tx.claim(LEASE_S)
            if registration is None:
                return
            claimed.append(registration.registration_id)

    await asyncio.gather(*(work() for _ in range(8)))
    assert sorted(claimed) == [f"{n:029d}" for n in range(40)]


@pytest.mark.postgres
async def test_two_that_take_equal_keys_at_once_agree_on_who_was_earlier(
    postgres_store: PostgresStore,
) -> None:
    await add(postgres_store, *range(12))
    claimed = [await claim(postgres_store) for _ in range(12)]
    keys = {lang: LookupKey(1, bytes([n]) * 32) for n, lang in enumerate(("ara", "eng", "fra"))}

    async def take(registration: Registration) -> dict[str, bool]:
        async with postgres_store.transaction() as tx:
            found = await tx.take_demographic_keys(
                registration.registration_id, registration.token, keys
            )
        return {m.registration.registration_id: m.earlier for m in found}

    seen = await asyncio.gather(*map(take, claimed))
    # Whoever came later saw all the earlier ones; nobody saw nobody but the first.
    assert sorted(len(each) for each in seen) == list(range(12))
    assert all(all(each.values()) for each in seen)


@pytest.mark.postgres
async def test_a_hold_and_the_end_it_waits_for_never_miss_each_other(
    postgres_store: PostgresStore,
) -> None:
    for _ in range(15):
        number = uuid4().int % 10**20
        await add(postgres_store, number, number + 1)
        first, second = await claim(postgres_store), await claim(postgres_store)
        waiting = hold("EARLIER", waits_for=first.registration_id, after_s=60)
        await asyncio.gather(
            advance(postgres_store, second, waiting, stage="first", delay_s=60.0),
            advance(postgres_store, first, go_on(), PROCESSED),
        )
        woken = await claim(postgres_store)
        assert woken.registration_id == second.registration_id
        await advance(postgres_store, woken, go_on(), PROCESSED)
