"""Partitions are asked at once; what one of them does not answer is not answered at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID, uuid4

import pytest

from services.abis.clients.vault import SegmentKeys
from services.abis.config import PartitionsConfig
from services.abis.domain.partition import FRONT, Share, partition_of
from services.abis.domain.reference import Position
from services.abis.domain.search import Search
from services.abis.store.templates import ParsedTemplates
from services.abis.usecases.partitions import (
    AllPartitions,
    CountEverywhere,
    IdentifyEverywhere,
    OwnPartition,
    PartitionFound,
    PartitionState,
)
from services.common.errors import (
    FailedPrecondition,
    InvalidArgument,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)
from tests.fakes.abis import AbisUnderTest, FakeStore, assemble, templates
from tests.fakes.vault import FakeVault

Wish = PlatformError | float | None


@dataclass
class Part:
    """One partition; each question takes the next wish: an error, or so many seconds."""

    own: OwnPartition
    wishes: list[Wish] = field(default_factory=list)
    asked: int = 0

    @property
    def number(self) -> int:
        return self.own.number

    async def search(self, search: Search) -> PartitionFound:
        await self._wish()
        return await self.own.search(search)

    async def state(self, *, timeout_s: float) -> PartitionState:
        await self._wish()
        return await self.own.state(timeout_s=timeout_s)

    async def _wish(self) -> None:
        self.asked += 1
        wish = self.wishes.pop(0) if self.wishes else None
        if isinstance(wish, PlatformError):
            raise wish
        await asyncio.sleep(wish or 0)


@dataclass
class Spread:
    whole: AbisUnderTest
    parts: list[Part]
    engines: list[AbisUnderTest]
    store: FakeStore
    identify: IdentifyEverywhere[ParsedTemplates]
    count: CountEverywhere

    async def insert(self, reference_id: UUID, person: int, session: int = 1) -> Position:
        position = await self.whole.insert(reference_id, templates(person, session))
        for each in (self.whole, *self.engines):
            await each.log.apply_some()
        return position


def add_held(share: Share, add: Callable[..., None], reference_id: UUID, parsed: object) -> None:
    if share.holds(reference_id):
        add(reference_id, parsed)


@pytest.fixture
async def spread() -> Spread:
    store, vault = FakeStore(), FakeVault()
    whole = assemble(store, vault)
    engines = [assemble(store, vault) for _ in range(3)]
    parts = []
    for number, each in enumerate(engines):
        share = Share(3, number)
        each.galleries.add = partial(add_held, share, each.galleries.add)  # type: ignore[method-assign]
        own = OwnPartition(share, each.identify, each.galleries, each.log)
        parts.append(Part(own))
    for each in (whole, *engines):
        await each.log.load()
    everyone = AllPartitions(parts, limit_s=3.0, retry_s=1.0)
    identify = IdentifyEverywhere[ParsedTemplates](
        store,
        SegmentKeys(vault),
        whole.galleries,
        whole.log,
        whole.queue,
        wait_s=0.1,
        partitions=everyone,
    )
    return Spread(whole, parts, engines, store, identify, CountEverywhere(store, everyone))


async def test_together_they_answer_as_the_whole(spread: Spread) -> None:
    ids = [uuid4() for _ in range(12)]
    for number, reference_id in enumerate(ids):
        position = await spread.insert(reference_id, number // 4, number % 4)
    assert {partition_of(each, 3) for each in ids} == {0, 1, 2}
    for search in (
        Search(ids[0], applied_up_to=position),
        Search(ids[5], max_candidates=2),
        Search(ids[5], among=(ids[4], ids[9])),
        Search(templates(1, 9), max_candidates=1),
        Search(templates(2, 9), min_similarity=0.0, max_candidates=100),
        Search(templates(7, 1)),
    ):
        assert await spread.identify(search) == await spread.whole.identify(search)
    assert await spread.count() == await spread.whole.count() == (12, 0)
    held = [(await part.state(timeout_s=1)).references for part in spread.parts]
    assert held == [sum(partition_of(each, 3) == number for each in ids) for number in range(3)]


AWAY = Unavailable("UPSTREAM_UNAVAILABLE", "Away.")


async def test_one_that_is_away_for_a_moment_is_asked_again(spread: Spread) -> None:
    spread.parts[1].wishes = [AWAY, Unavailable("GALLERY_LOADING", "Behind.")]
    answer = await spread.identify(Search(templates(1)))
    assert (answer.candidates, answer.searched) == ([], 0)
    assert [part.asked for part in spread.parts] == [1, 3, 1]


async def test_one_that_stays_away_is_named(spread: Spread) -> None:
    spread.parts[2].wishes = [AWAY] * 1000
    with pytest.raises(Unavailable) as refused:
        await spread.identify(Search(templates(1)))
    error = refused.value
    assert (error.reason, dict(error.metadata)) == (
        "GALLERY_INCOMPLETE",
        {"partition": "2", "why": "UPSTREAM_UNAVAILABLE", "mosip_code": "2"},
    )
    # Longer than a channel waits on its own: the caller decides.
    assert error.retry_after_s is not None
    assert error.retry_after_s > 1.0
    with pytest.raises(Unavailable):
        await spread.count()


async def test_one_that_is_slow_is_named_within_the_deadline(spread: Spread) -> None:
    spread.parts[0].wishes = [60.0]
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable) as refused:
        await spread.identify(Search(templates(1), deadline_s=0.6))
    assert asyncio.get_running_loop().time() - began < 0.6
    assert refused.value.metadata["partition"] == "0"
    assert refused.value.metadata["why"] == "DEADLINE_EXCEEDED"


async def test_one_that_lags_is_waited_for_until_it_has_applied(spread: Spread) -> None:
    ids = [uuid4() for _ in range(2)]
    await spread.insert(ids[0], 1)
    position = await spread.whole.insert(ids[1], templates(1, 2))
    for each in (spread.whole, spread.engines[0], spread.engines[2]):
        await each.log.apply_some()
    search = Search(templates(1, 3), applied_up_to=position)
    with pytest.raises(Unavailable) as refused:
        await spread.identify(search)
    assert refused.value.metadata["partition"] == "1"
    assert refused.value.metadata["why"] == "GALLERY_LOADING"
    later = asyncio.create_task(spread.identify(search))
    await asyncio.sleep(0.15)
    await spread.engines[1].log.apply_some()
    assert await later == await spread.whole.identify(search)


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("PROBE_MALFORMED", "It does not parse."),
        ResourceExhausted("SEARCHES_TOO_MANY", "Too many."),
        FailedPrecondition("POSITION_OF_ANOTHER_EPOCH", "Restored."),
    ],
)
async def test_what_is_wrong_with_the_question_is_told_as_it_is(
    spread: Spread, error: PlatformError
) -> None:
    spread.parts[1].wishes = [error]
    with pytest.raises(type(error)) as refused:
        await spread.identify(Search(templates(1)))
    assert refused.value is error
    assert spread.parts[1].asked == 1


async def test_a_partition_that_others_number_otherwise_is_not_asked_again(spread: Spread) -> None:
    with pytest.raises(FailedPrecondition) as mismatch:
        spread.parts[1].own.check(Share(4, 1))
    assert mismatch.value.reason == "PARTITION_MISMATCH"
    spread.parts[1].own.check(Share(3, 1))
    spread.parts[1].wishes = [mismatch.value]
    with pytest.raises(Unavailable) as refused:
        await spread.identify(Search(templates(1)))
    assert refused.value.metadata["why"] == "PARTITION_MISMATCH"
    assert spread.parts[1].asked == 1


async def test_an_unknown_reference_is_not_found_before_anyone_is_asked(spread: Spread) -> None:
    with pytest.raises(PlatformError) as refused:
        await spread.identify(Search(uuid4()))
    assert refused.value.reason == "REFERENCE_NOT_FOUND"
    assert [part.asked for part in spread.parts] == [0, 0, 0]


def test_the_configuration_names_everybody_else() -> None:
    peers = {"0": "ipv4:127.0.0.1:1", "2": "ipv4:127.0.0.1:3"}
    good = PartitionsConfig(count=3, number=1, peers=peers)
    PartitionsConfig(count=3, number=FRONT, peers={**peers, "1": "ipv4:127.0.0.1:2"})
    for wrong in (
        {"peers": {"0": "a"}},
        {"number": 3},
        {"number": -2},
        {"count": 0},
        {"count": 1025},
        {"peers": {**peers, "1": "a"}},
        {"limit_s": 0.0},
    ):
        with pytest.raises(ValueError, match="must"):
            replace(good, **wrong)
    assert PartitionsConfig().count == 1


# The numbers that a gallery was spread by cannot change.
PINNED = [3, 0, 0, 2, 2, 2, 1, 2]


def test_a_reference_is_in_one_partition_for_ever() -> None:
    ids = [UUID(int=number) for number in range(1000)]
    for count in (1, 2, 4, 1024):
        assert all(0 <= partition_of(each, count) < count for each in ids)
    numbers = [partition_of(each, 4) for each in ids]
    assert numbers[:8] == PINNED
    assert all(200 < numbers.count(each) < 300 for each in range(4))
    assert not Share(4, FRONT).holds(ids[0])
    assert Share().holds(ids[0])
