"""The same request id is answered as the first time; another request may not have it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.abis.domain.search import PositionsMode, Search
from services.common.errors import AlreadyExists
from tests.fakes.abis import AbisUnderTest, FakeStore, assemble, templates
from tests.fakes.vault import FakeVault

ANNA, BORIS = UUID(int=1), UUID(int=2)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def abis(store: FakeStore) -> AbisUnderTest:
    abis = assemble(store, FakeVault(), offered=True)
    await abis.log.load()
    return abis


async def test_an_insert_is_done_once(abis: AbisUnderTest, store: FakeStore) -> None:
    request_id = uuid4()
    first = await abis.insert(ANNA, templates(1), request_id=request_id, must_be_new=True)
    again = await abis.insert(ANNA, templates(1), request_id=request_id, must_be_new=True)
    assert again == first
    assert store.tables.actions == ["REFERENCE_INSERTED"]
    for reference_id, person in ((ANNA, 2), (BORIS, 1)):
        with pytest.raises(AlreadyExists) as refused:
            await abis.insert(reference_id, templates(person), request_id=request_id)
        assert refused.value.reason == "REQUEST_ID_REUSED"
    assert list(store.tables.references) == [ANNA]


async def test_an_insert_under_a_new_id_may_be_asked_to_be_new(abis: AbisUnderTest) -> None:
    await abis.insert(ANNA, templates(1), request_id=uuid4())
    with pytest.raises(AlreadyExists) as refused:
        await abis.insert(ANNA, templates(1), request_id=uuid4(), must_be_new=True)
    assert refused.value.reason == "REFERENCE_EXISTS"
    assert refused.value.metadata["mosip_code"] == "10"


async def test_a_refused_insert_may_be_sent_again_mended(abis: AbisUnderTest) -> None:
    request_id = uuid4()
    await abis.insert(ANNA, templates(1))
    with pytest.raises(AlreadyExists):
        await abis.insert(ANNA, templates(2), request_id=request_id)
    assert await abis.insert(BORIS, templates(2), request_id=request_id)


async def test_a_delete_is_done_once(abis: AbisUnderTest) -> None:
    request_id, nothing = uuid4(), uuid4()
    await abis.insert(ANNA, templates(1))
    first = await abis.delete(ANNA, request_id=request_id)
    assert first is not None
    await abis.insert(ANNA, templates(1))
    assert await abis.delete(ANNA, request_id=request_id) == first
    assert abis.galleries.references() == 1
    assert await abis.delete(BORIS, request_id=nothing) is None
    await abis.insert(BORIS, templates(2))
    assert await abis.delete(BORIS, request_id=nothing) is None
    with pytest.raises(AlreadyExists):
        await abis.delete(BORIS, request_id=request_id)
    with pytest.raises(AlreadyExists):
        await abis.insert(UUID(int=3), templates(3), request_id=request_id)


async def test_a_search_is_answered_as_the_first_time(
    abis: AbisUnderTest, store: FakeStore
) -> None:
    await abis.insert(ANNA, templates(1))
    search = Search(templates(1, 2), request_id=uuid4())
    first = await abis.identify(search)
    await abis.insert(BORIS, templates(1, 3))
    assert await abis.identify(search) == first
    assert await abis.identify(replace(search, deadline_s=1.0)) == first
    fresh = await abis.identify(replace(search, request_id=uuid4()))
    assert [each.reference_id for each in fresh.candidates] != [ANNA]
    for other in (
        replace(search, subject=templates(2)),
        replace(search, subject=ANNA),
        replace(search, max_candidates=1),
        replace(search, among=[ANNA]),
        replace(search, target_fpir=0.5),
        replace(search, exhaustive=True),
        replace(search, positions=PositionsMode.ANY),
    ):
        with pytest.raises(AlreadyExists) as refused:
            await abis.identify(other)
        assert refused.value.reason == "REQUEST_ID_REUSED"
    # Who is like whom is nothing that a reader of the database learns.
    [kept, _] = store.tables.requests.values()
    assert str(ANNA).encode() not in kept.answer


async def test_of_two_at_once_one_answer_is_given(abis: AbisUnderTest, store: FakeStore) -> None:
    await abis.insert(ANNA, templates(1))
    search = Search(templates(1, 2), request_id=uuid4())
    answers = await asyncio.gather(*(abis.identify(search) for _ in range(3)))
    assert answers[0] == answers[1] == answers[2]
    request_id = uuid4()
    places = await asyncio.gather(
        *(abis.insert(BORIS, templates(2), request_id=request_id) for _ in range(3))
    )
    assert len(set(places)) == 1
    assert len(store.tables.requests) == 2
