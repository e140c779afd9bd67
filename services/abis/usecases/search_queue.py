"""Searches of several callers are made as one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, Protocol

from services.abis.domain.failure import mosip_code
from services.abis.domain.search import Found, Manner
from services.abis.ports import Cancel, Galleries, Parsed
from services.common.errors import DeadlineExceeded, ResourceExhausted

MAX_PROBES: Final = 64
LINGER_S: Final = 0.002
MAX_WAITING: Final = 1024
# What is left to a search whose caller's time has just ended.
_LEAST_S: Final = 0.001


class Handle(Protocol):
    """Of something that was put off."""

    def cancel(self) -> None:
        """Do not do it."""
        ...


class Timers(Protocol):
    """The event loop's clock; a test has its own."""

    def time(self) -> float:
        """Seconds from some start."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Handle:
        """Call back after so many seconds."""
        ...


@dataclass(eq=False)
class _Waiting(Generic[Parsed]):
    probe: Parsed
    manner: Manner
    max_candidates: int
    min_score: float
    since_s: float
    ends_at_s: float | None
    done: asyncio.Future[Found]
    timer: Handle | None = None


@dataclass(eq=False)
class _Lot(Generic[Parsed]):
    """Searches that are made together; given up when nobody waits for any of them."""

    members: list[_Waiting[Parsed]]
    cancel: Cancel
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = len(self.members)

    def one_is_done(self, _: object) -> None:
        self.left -= 1
        if self.left == 0:
            self.cancel.set()


class SearchQueue(Generic[Parsed]):
    """Gathers what comes within 2 ms, or 64 probes, into one search of the galleries.

    First come, first served: a lot is made of the one that waits longest and of those of its
    manner in their order, so that no manner makes another starve. An answer does not depend on
    what it shares its lot with. Each caller's own deadline and cancellation hold: who goes away
    makes room, and a lot that nobody waits for is given up.

    Args:
        executor: the threads that searches run in, as many as lots are searched at once.
        lots: searched at once.
        max_waiting: beyond which a caller is sent away.
    """

    def __init__(
        self,
        galleries: Galleries[Parsed],
        executor: Executor,
        *,
        lots: int = 2,
        max_probes: int = MAX_PROBES,
        linger_s: float = LINGER_S,
        max_waiting: int = MAX_WAITING,
        timers: Timers | None = None,
    ) -> None:
        self._galleries = galleries
        self._executor = executor
        self._lots = lots
        self._max_probes = max_probes
        self._linger_s = linger_s
        self._max_waiting = max_waiting
        self._timers = timers
        self._waiting: deque[_Waiting[Parsed]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._searched = 0
        self._wakes: Handle | None = None

    def __len__(self) -> int:
        """How many searches wait or run."""
        return sum(not each.done.done() for each in self._waiting) + self._searched

    async def search(
        self,
        probe: Parsed,
        manner: Manner,
        *,
        max_candidates: int,
        min_score: float,
        deadline_s: float | None,
    ) -> Found:
        """Return what the galleries have; see Galleries.search.

        Raises:
            ResourceExhausted: SEARCHES_TOO_MANY.
            DeadlineExceeded: SEARCH_TOO_SLOW.
        """
        if sum(not each.done.done() for each in self._waiting) >= self._max_waiting:
            raise ResourceExhausted(
                "SEARCHES_TOO_MANY",
                "Too many searches wait already.",
                metadata=mosip_code("SEARCHES_TOO_MANY"),
                retry_after_s=1.0,
            )
        loop = asyncio.get_running_loop()
        timers = self._timers or loop
        now = timers.time()
        ends_at_s = None if deadline_s is None else now + deadline_s
        each = _Waiting(
            probe, manner, max_candidates, min_score, now, ends_at_s, loop.create_future()
        )
        if deadline_s is not None:
            each.timer = timers.call_later(deadline_s, partial(_too_late, each))
        self._waiting.append(each)
        self._dispatch()
        try:
            return await each.done
        finally:
            if each.timer is not None:
                each.timer.cancel()

    def _dispatch(self) -> None:
        """Send what is due; come back when something will be."""
        if self._wakes is not None:
            self._wakes.cancel()
            self._wakes = None
        timers = self._timers or asyncio.get_running_loop()
        while len(self._running) < self._lots:
            lot = self._next_lot()
            if not lot:
                return
            due_in_s = lot[0].since_s + self._linger_s - timers.time()
            if len(lot) < self._max_probes and due_in_s > 0:
                self._wakes = timers.call_later(due_in_s, self._dispatch)
                return
            taken = set(map(id, lot))
            self._waiting = deque(each for each in self._waiting if id(each) not in taken)
            self._searched += len(lot)
            task = asyncio.get_running_loop().create_task(self._run(lot))
            self._running.add(task)

    def _next_lot(self) -> list[_Waiting[Parsed]]:
        while self._waiting and self._waiting[0].done.done():
            self._waiting.popleft()
        if not self._waiting:
            return []
        manner = self._waiting[0].manner
        alike = (each for each in self._waiting if each.manner == manner and not each.done.done())
        return [each for each, _ in zip(alike, range(self._max_probes), strict=False)]

    async def _run(self, members: list[_Waiting[Parsed]]) -> None:
        lot = _Lot(members, self._galleries.cancel())
        for each in members:
            each.done.add_done_callback(lot.one_is_done)
        try:
            for each, found in zip(members, await self._found(members, lot.cancel), strict=True):
                _settle(each, found)
        finally:
            for each in members:
                each.done.remove_done_callback(lot.one_is_done)
                if not each.done.done():
                    each.done.cancel()
            self._searched -= len(members)
            task = asyncio.current_task()
            assert task is not None, "a lot is a task"
            self._running.discard(task)
            self._dispatch()

    async def _found(
        self, members: Sequence[_Waiting[Parsed]], cancel: Cancel
    ) -> Sequence[Found | Exception]:
        try:
            return await self._search(members, cancel)
        except Exception as error:
            if len(members) == 1 or isinstance(error, DeadlineExceeded):
                return [error] * len(members)
        # One of them is at fault: the others shall not suffer for it.
        return [(await self._found([each], cancel))[0] for each in members]

    async def _search(self, members: Sequence[_Waiting[Parsed]], cancel: Cancel) -> Sequence[Found]:
        timers = self._timers or asyncio.get_running_loop()
        ends = [each.ends_at_s for each in members]
        latest = None if None in ends else max(each for each in ends if each is not None)
        call = partial(
            self._galleries.search,
            [each.probe for each in members],
            members[0].manner,
            max_candidates=max(each.max_candidates for each in members),
            min_scores=[each.min_score for each in members],
            # The last caller's; the others' timers are their own.
            deadline_s=None if latest is None else max(latest - timers.time(), _LEAST_S),
            cancel=cancel,
        )
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)


def _settle(each: _Waiting[Parsed], found: Found | Exception) -> None:
    if each.done.done():
        return
    if isinstance(found, DeadlineExceeded):
        each.done.set_exception(_slow())
    elif isinstance(found, Exception):
        each.done.set_exception(found)
    else:
        few = found.candidates[: each.max_candidates]
        each.done.set_result(Found(few, found.searched, found.exact, found.loss_bound))


def _too_late(each: _Waiting[Parsed]) -> None:
    if not each.done.done():
        each.done.set_exception(_slow())


def _slow() -> DeadlineExceeded:
    return DeadlineExceeded(
        "SEARCH_TOO_SLOW", "The search took too long.", metadata=mosip_code("SEARCH_TOO_SLOW")
    )
