"""Candidates and cases in memory and in PostgreSQL behave alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast
from uuid import UUID, uuid4

import pytest

from services.common.clock import SystemClock
from services.common.postgres import Database
from services.processing.domain.candidates import CaseCandidate, TemplateSimilarity
from services.processing.domain.case import Case, Decision
from services.processing.domain.registration import Received
from services.processing.ports import Store
from services.processing.store.registrations import PostgresStore
from tests.fakes.processing import FakeStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def fake_store() -> FakeStore:
    return FakeStore(SystemClock())


@pytest.fixture
async def postgres_store(make_database: Callable[[str], Awaitable[Database]]) -> PostgresStore:
    return PostgresStore(await make_database("processing"))


@pytest.fixture(params=["fake", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest) -> Store:
    return cast(Store, request.getfixturevalue(f"{request.param}_store"))


async def add(store: Store, *numbers: int) -> None:
    for number in numbers:
        rid = f"{number:029d}"
        packet = Received(rid, f"{rid}-p", "NEW", "10001", "10077", b"", 42, NOW, True)
        async with store.transaction() as tx:
            assert await tx.add(packet, "first")


def a_candidate(number: int, similarity: float, kind: str = "biometric") -> CaseCandidate:
    by_template = (TemplateSimilarity(1, 2, 0.5),)
    return CaseCandidate(f"{number:029d}", kind, similarity, by_template)


async def test_of_a_candidate_found_twice_the_likelier_is_kept(store: Store) -> None:
    await add(store, 1, 2, 3)
    rid = f"{1:029d}"
    async with store.transaction() as tx:
        await tx.put_candidates(rid, [a_candidate(2, 0.75, "demographic"), a_candidate(3, 0.5)])
        await tx.put_candidates(rid, [a_candidate(2, 0.875), a_candidate(3, 0.25)])
        assert await tx.candidates_of(rid) == [a_candidate(2, 0.875), a_candidate(3, 0.5)]
        assert await tx.candidates_of(f"{2:029d}") == []


def a_case(number: int) -> Case:
    return Case(uuid4(), f"{number:029d}", NOW, (a_candidate(9, 0.5),), b"sealed")


async def test_a_case_is_opened_once_and_decided_once(store: Store) -> None:
    await add(store, 1)
    case = a_case(1)
    async with store.transaction() as tx:
        await tx.open_case(case)
        await tx.open_case(a_case(1))
        opened = await tx.case(case.case_id, lock=True)
        assert opened is not None
        assert replace(opened, sequence=0) == case
        assert await tx.case_of(case.registration_id) == opened
        assert await tx.case(uuid4()) is None
        await tx.decide(case.case_id, Decision.DISTINCT, "ada", b"reason", NOW)
        await tx.decide(case.case_id, Decision.DUPLICATE, "ben", b"other", NOW)
        decided = await tx.case(case.case_id)
    assert decided == replace(
        opened,
        decision=Decision.DISTINCT,
        decided_by="ada",
        sealed_reason=b"reason",
        decided_at=NOW,
    )


async def test_cases_come_oldest_first_page_by_page(store: Store) -> None:
    await add(store, 1, 2, 3)
    cases = [a_case(number) for number in (1, 2, 3)]
    async with store.transaction() as tx:
        for case in cases:
            await tx.open_case(case)
        await tx.decide(cases[1].case_id, Decision.DUPLICATE, "ada", b"r", NOW)
        first = await tx.cases(decided=False, after=0, limit=1)
        rest = await tx.cases(decided=False, after=first[0].sequence, limit=9)
        decided = await tx.cases(decided=True, after=0, limit=9)
    assert ids(first + rest) == ids([cases[0], cases[2]])
    assert ids(decided) == ids([cases[1]])


def ids(cases: list[Case]) -> list[UUID]:
    return [case.case_id for case in cases]
