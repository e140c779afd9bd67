"""A bulk load is durable as far as it says, and goes on there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.abis.domain.search import Search
from services.abis.usecases.bulk_load import LOT_ITEMS, Item, Progress
from services.common.errors import Aborted, InvalidArgument, PlatformError, Unavailable
from tests.fakes.abis import AbisUnderTest, FakeStore, assemble, templates
from tests.fakes.vault import FakeVault

LOAD = UUID(int=99)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def abis(store: FakeStore) -> AbisUnderTest:
    abis = assemble(store, FakeVault(), offered=True)
    await abis.log.load()
    return abis


def an_item(number: int, *, reference: int | None = None, person: int | None = None) -> Item:
    face = templates(person or number, fingers=(), irises=())
    return Item(number, UUID(int=reference or number), face)


async def given(items: Sequence[Item], error: Exception | None = None) -> AsyncIterator[Item]:
    for item in items:
        yield item
    if error is not None:
        raise error


async def load(abis: AbisUnderTest, items: Sequence[Item]) -> list[Progress]:
    return [each async for each in abis.bulk_load(LOAD, given(items))]


async def test_it_says_first_where_to_go_on_and_then_how_far_it_is(abis: AbisUnderTest) -> None:
    answers = await load(abis, [an_item(number) for number in range(1, LOT_ITEMS + 12)])
    assert answers[0] == Progress(0)
    assert [each.durable_up_to for each in answers] == sorted(
        {each.durable_up_to for each in answers}
    )
    assert answers[-1].durable_up_to == LOT_ITEMS + 11
    assert answers[-1].position is not None
    assert abis.galleries.references() == LOT_ITEMS + 11
    assert abis.log.position == answers[-1].position
    found = await abis.identify(Search(an_item(LOT_ITEMS + 5).templates))
    assert found.candidates[0].reference_id == UUID(int=LOT_ITEMS + 5)


async def test_it_is_resumed_behind_what_is_durable(abis: AbisUnderTest, store: FakeStore) -> None:
    broken = given([an_item(1), an_item(2), an_item(3)], Unavailable("GONE", "Away."))
    with pytest.raises(Unavailable):
        async for _ in abis.bulk_load(LOAD, broken):
            pass
    [where] = await load(abis, [])
    assert where.durable_up_to == 3
    again = await load(abis, [an_item(number) for number in range(4, 7)])
    assert [each.durable_up_to for each in again][-1] == 6
    assert len(store.tables.references) == 6
    assert len(abis.bulk_load) == 0


async def test_what_is_refused_is_named_and_stops_nothing(abis: AbisUnderTest) -> None:
    await abis.insert(UUID(int=3), an_item(30).templates)
    bad = an_item(2)
    bad = replace(bad, templates=[replace(bad.templates[0], data=b"FAC")])
    items = [an_item(1), bad, an_item(3), an_item(4), an_item(5, reference=4)]
    last = (await load(abis, [*items, an_item(6, reference=1, person=1)]))[-1]
    expected = {2: "TEMPLATE_MALFORMED", 3: "REFERENCE_EXISTS", 5: "REFERENCE_EXISTS"}
    assert (last.durable_up_to, last.refused) == (6, expected)
    [where] = await load(abis, [])
    assert (where.durable_up_to, where.refused) == (6, expected)
    assert abis.galleries.references() == 3


@pytest.mark.parametrize("numbers", [[2], [1, 3], [1, 1], [0]])
async def test_items_come_in_order(abis: AbisUnderTest, numbers: list[int]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await load(abis, [an_item(number, reference=5) for number in numbers])
    assert refused.value.reason == "LOAD_OUT_OF_ORDER"


async def test_one_load_is_not_done_twice_at_once(abis: AbisUnderTest) -> None:
    under_way = abis.bulk_load(LOAD, given([]))
    await anext(under_way)
    assert (await abis.status.pending()).loads == 1
    with pytest.raises(Aborted) as refused:
        await load(abis, [])
    assert refused.value.reason == "LOAD_IN_PROGRESS"
    await under_way.aclose()
    assert (await load(abis, []))[0] == Progress(0)


async def test_another_service_may_have_gone_on_meanwhile(
    abis: AbisUnderTest, store: FakeStore
) -> None:
    mine = abis.bulk_load(LOAD, given([an_item(1)]))
    await anext(mine)
    store.tables.loads[LOAD] = 7
    with pytest.raises(Aborted):
        await anext(mine)
    assert store.tables.references == {}


async def test_a_commit_that_fails_keeps_nothing(abis: AbisUnderTest, store: FakeStore) -> None:
    store.fail_commit_with(Unavailable("DATABASE_UNAVAILABLE", "Away."))
    with pytest.raises(PlatformError):
        await load(abis, [an_item(1)])
    [where] = await load(abis, [])
    assert where.durable_up_to == 0
    assert (await load(abis, [an_item(1)]))[-1].durable_up_to == 1


async def test_a_full_gallery_takes_no_more_and_goes_on_searching(store: FakeStore) -> None:
    abis = assemble(store, FakeVault(), offered=True, max_bytes=1)
    await abis.log.load()
    with pytest.raises(PlatformError) as refused:
        await abis.insert(uuid4(), an_item(1).templates)
    assert refused.value.reason == "GALLERY_FULL"
    with pytest.raises(PlatformError) as refused:
        await load(abis, [an_item(1)])
    assert refused.value.reason == "GALLERY_FULL"
    assert (await abis.identify(Search(an_item(1).templates))).candidates == []
