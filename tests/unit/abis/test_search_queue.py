"""Searches of several callers are made as one, each with its own time and answer."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, cast
from uuid import UUID

import pytest

from services.abis.domain.candidate import Candidate
from services.abis.domain.search import Found, Manner, PositionsMode
from services.abis.ports import Cancel
from services.abis.usecases.search_queue import LINGER_S, SearchQueue
from services.common.errors import DeadlineExceeded, Internal, PlatformError, ResourceExhausted

WIDE = Manner()
OTHER = Manner(positions=PositionsMode.ANY)


class FakeTimers:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0
        self._due: list[tuple[float, int, FakeHandle]] = []
        self._count = itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object]) -> FakeHandle:
        handle = FakeHandle(callback)
        heapq.heappush(self._due, (self.now + delay, next(self._count), handle))
        return handle

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await settle()
        while self._due and self._due[0][0] <= end:
            self.now, _, handle = heapq.heappop(self._due)
            handle.run()
            await settle()
        self.now = end


class FakeHandle:
    def __init__(self, callback: Callable[[], object]) -> None:
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        if self._callback is not None:
            self._callback()


class FakeCancel:
    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        self.is_set = True


class Asked:
    """One call of the galleries, answered when the test says so."""

    def __init__(self, probes: Sequence[str], manner: Manner, **more: Any) -> None:
        self.probes = list(probes)
        self.manner = manner
        self.more = more
        self.future: Future[list[Found]] = Future()

    async def answer(self, error: Exception | None = None) -> None:
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result([found(probe) for probe in self.probes])
        await settle()


class FakeGalleries(Executor):
    """The galleries, and the executor that would run their search."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.cancels: list[FakeCancel] = []

    def cancel(self) -> Cancel:
        self.cancels.append(FakeCancel())
        return self.cancels[-1]

    def search(self, probes: Sequence[str], manner: Manner, **more: Any) -> list[Found]:
        self.asked.append(Asked(probes, manner, **more))
        return []

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        call(*args, **kwargs)
        return self.asked[-1].future


def found(probe: str) -> Found:
    candidates = [Candidate(UUID(int=number + 1), 30.0 - number) for number in range(5)]
    return Found(candidates, len(probe), exact=False, loss_bound=0.001)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class World:
    def __init__(self, **settings: Any) -> None:
        self.timers = FakeTimers()
        self.galleries = FakeGalleries()
        self.queue = SearchQueue[str](
            cast(Any, self.galleries),
            self.galleries,
            timers=self.timers,
            **({"lots": 1} | settings),
        )
        self.tasks: list[asyncio.Task[Found]] = []

    async def ask(
        self, probe: str, *, manner: Manner = WIDE, deadline_s: float | None = None, most: int = 3
    ) -> asyncio.Task[Found]:
        task = asyncio.create_task(
            self.queue.search(
                probe, manner, max_candidates=most, min_score=len(probe), deadline_s=deadline_s
            )
        )
        self.tasks.append(task)
        await settle()
        return task

    @property
    def asked(self) -> list[list[str]]:
        return [each.probes for each in self.galleries.asked]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    for task in world.tasks:
        task.cancel()
    await asyncio.gather(*world.tasks, return_exceptions=True)


async def reason(task: asyncio.Task[Found]) -> str:
    with pytest.raises(PlatformError) as refused:
        await task
    return refused.value.reason


async def test_what_comes_within_two_milliseconds_is_one_search(world: World) -> None:
    first = await world.ask("a")
    await world.timers.advance(LINGER_S / 2)
    second = await world.ask("bb", most=2)
    assert world.asked == []
    await world.timers.advance(LINGER_S / 2)
    assert world.asked == [["a", "bb"]]
    assert world.galleries.asked[0].more["min_scores"] == [1, 2]
    assert len(world.queue) == 2
    await world.galleries.asked[0].answer()
    assert ((await first).searched, (await second).searched) == (1, 2)
    assert (len((await first).candidates), len((await second).candidates)) == (3, 2)
    assert len(world.queue) == 0


async def test_sixty_four_probes_do_not_wait(world: World) -> None:
    for number in range(65):
        await world.ask(f"{number}")
    assert [len(each) for each in world.asked] == [64]
    await world.galleries.asked[0].answer()
    await world.timers.advance(LINGER_S)
    assert world.asked[1] == ["64"]


async def test_what_waited_for_a_search_to_end_leaves_at_once(world: World) -> None:
    await world.ask("a")
    await world.timers.advance(LINGER_S)
    await world.ask("b")
    await world.ask("c")
    await world.timers.advance(1.0)
    assert world.asked == [["a"]]
    await world.galleries.asked[0].answer()
    assert world.asked == [["a"], ["b", "c"]]


async def test_only_searches_of_one_manner_share_and_nobody_starves(world: World) -> None:
    await world.ask("busy")
    await world.timers.advance(LINGER_S)
    for probe, manner in (("a", WIDE), ("x", OTHER), ("b", WIDE), ("y", OTHER)):
        await world.ask(probe, manner=manner)
    await world.timers.advance(1.0)
    await world.galleries.asked[0].answer()
    assert world.asked[1:] == [["a", "b"]]
    await world.ask("late")
    await world.timers.advance(1.0)
    await world.galleries.asked[1].answer()
    assert world.asked[2:] == [["x", "y"]]
    assert world.galleries.asked[2].manner == OTHER


async def test_a_deadline_is_the_callers_own(world: World) -> None:
    short = await world.ask("short", deadline_s=0.5)
    long = await world.ask("long", deadline_s=2.0)
    await world.timers.advance(LINGER_S)
    assert world.galleries.asked[0].more["deadline_s"] == pytest.approx(2.0 - LINGER_S)
    await world.timers.advance(0.6)
    assert await reason(short) == "SEARCH_TOO_SLOW"
    assert not world.galleries.cancels[0].is_set
    await world.galleries.asked[0].answer()
    assert (await long).searched == 4


async def test_without_a_deadline_there_is_none(world: World) -> None:
    await world.ask("a", deadline_s=1.0)
    await world.ask("b")
    await world.timers.advance(LINGER_S)
    assert world.galleries.asked[0].more["deadline_s"] is None


async def test_who_waits_too_long_is_told_so_and_not_searched_for(world: World) -> None:
    await world.ask("busy")
    await world.timers.advance(LINGER_S)
    late = await world.ask("late", deadline_s=0.2)
    await world.timers.advance(0.3)
    assert await reason(late) == "SEARCH_TOO_SLOW"
    await world.galleries.asked[0].answer()
    assert world.asked == [["busy"]]


async def test_a_search_that_nobody_waits_for_is_given_up(world: World) -> None:
    first, second = await world.ask("a"), await world.ask("b")
    await world.timers.advance(LINGER_S)
    first.cancel()
    await settle()
    assert not world.galleries.cancels[0].is_set
    second.cancel()
    await settle()
    assert world.galleries.cancels[0].is_set
    await world.galleries.asked[0].answer(DeadlineExceeded("SEARCH_TOO_SLOW", "Given up."))
    after = await world.ask("c")
    await world.timers.advance(LINGER_S)
    await world.galleries.asked[1].answer()
    assert (await after).searched == 1


async def test_who_went_away_while_waiting_is_not_searched_for(world: World) -> None:
    gone, stays = await world.ask("gone"), await world.ask("stays")
    gone.cancel()
    await world.timers.advance(LINGER_S)
    assert world.asked == [["stays"]]
    await world.galleries.asked[0].answer()
    assert (await stays).searched == 5


async def test_a_full_queue_sends_callers_away_and_says_when_to_come_back() -> None:
    world = World(max_waiting=2)
    await world.ask("busy")
    await world.timers.advance(LINGER_S)
    waiting = [await world.ask("a"), await world.ask("b")]
    with pytest.raises(ResourceExhausted) as refused:
        await (await world.ask("c"))
    assert refused.value.reason == "SEARCHES_TOO_MANY"
    assert refused.value.retry_after_s
    waiting[0].cancel()
    await settle()
    again = await world.ask("c")
    await world.galleries.asked[0].answer()
    await world.timers.advance(LINGER_S)
    assert world.asked[1] == ["b", "c"]
    await world.galleries.asked[1].answer()
    assert (await again).searched == 1


async def test_one_at_fault_does_not_spoil_the_others(world: World) -> None:
    good, bad = await world.ask("good"), await world.ask("bad")
    await world.timers.advance(LINGER_S)
    await world.galleries.asked[0].answer(Internal("INTERNAL", "Refused."))
    assert world.asked[1] == ["good"]
    await world.galleries.asked[1].answer()
    await world.galleries.asked[2].answer(Internal("INTERNAL", "Refused."))
    assert (await good).searched == 4
    assert await reason(bad) == "INTERNAL"


async def test_as_many_lots_as_allowed_are_searched_at_once() -> None:
    world = World(lots=2)
    for probe in ("a", "b", "c"):
        await world.ask(probe)
        await world.timers.advance(LINGER_S)
    assert world.asked == [["a"], ["b"]]
    await world.galleries.asked[0].answer()
    assert world.asked == [["a"], ["b"], ["c"]]
    for asked in world.galleries.asked[1:]:
        await asked.answer()


async def test_with_the_loop_s_own_clock_and_threads_it_is_the_same() -> None:
    class Galleries(FakeGalleries):
        def search(self, probes: Sequence[str], manner: Manner, **more: Any) -> list[Found]:
            assert threading.current_thread() is not threading.main_thread()
            super().search(probes, manner, **more)
            return [found(probe) for probe in probes]

    galleries = Galleries()
    with ThreadPoolExecutor(1) as threads:
        queue = SearchQueue[str](cast(Any, galleries), threads, lots=1)
        answers = await asyncio.gather(
            *(
                queue.search("x" * size, WIDE, max_candidates=3, min_score=0.0, deadline_s=5.0)
                for size in range(1, 8)
            )
        )
    assert [each.searched for each in answers] == list(range(1, 8))
    assert [len(each.probes) for each in galleries.asked] == [7]
