"""Concurrent calls of one kind and key share requests."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.common.errors import PlatformError

O = TypeVar("O")  # noqa: E741 - out

# Sends items, returns as many outcomes in the same order: a result, or the item's own error.
Send = Callable[[Sequence[Any]], Awaitable[Sequence[O | PlatformError]]]


@dataclass
class _Lane(Generic[O]):
    send: Send[O]
    max_items: int
    max_in_flight: int
    waiting: deque[tuple[Any, asyncio.Future[O]]] = field(default_factory=deque)
    in_flight: int = 0
    flush_is_due: bool = False


class Batcher:
    """Gathers what arrives within one turn of the event loop, or while requests are under way.

    Few requests at a time carry more items each when the load rises; a call by itself leaves at
    once.
    """

    def __init__(self) -> None:
        self._lanes: dict[Hashable, _Lane[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(
        self,
        lane_key: Hashable,
        items: Sequence[Any],
        send: Send[O],
        *,
        max_items: int,
        max_in_flight: int = 4,
    ) -> list[O]:
        """Return the items' results; raise the first error if an item has one.

        Calls with one lane_key must give the same send and limits.
        """
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(lane_key)
        if lane is None:
            lane = self._lanes[lane_key] = _Lane(send, max_items, max_in_flight)
        futures: list[asyncio.Future[O]] = [loop.create_future() for _ in items]
        lane.waiting.extend(zip(items, futures, strict=True))
        if not lane.flush_is_due:
            lane.flush_is_due = True
            # Not in the caller's context: its deadline and trace are not those of the others.
            loop.call_soon(self._flush, lane_key, lane, context=contextvars.Context())
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        results: list[O] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            results.append(outcome)
        return results

    async def close(self) -> None:
        """Wait for the requests that are under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _flush(self, lane_key: Hashable, lane: _Lane[Any]) -> None:
        lane.flush_is_due = False
        while lane.waiting and lane.in_flight < lane.max_in_flight:
            lot: list[tuple[Any, asyncio.Future[Any]]] = []
            while lane.waiting and len(lot) < lane.max_items:
                item, future = lane.waiting.popleft()
                # One whose caller went away is not sent.
                if not future.done():
                    lot.append((item, future))
            if not lot:
                break
            lane.in_flight += 1
            task = asyncio.get_running_loop().create_task(self._run(lane_key, lane, lot))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not lane.waiting and not lane.in_flight:
            self._lanes.pop(lane_key, None)

    async def _run(
        self, lane_key: Hashable, lane: _Lane[Any], lot: list[tuple[Any, asyncio.Future[Any]]]
    ) -> None:
        try:
            outcomes = await lane.send([item for item, _ in lot])
            assert len(outcomes) == len(lot), "an outcome for each item"
            for (_, future), outcome in zip(lot, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, PlatformError):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)
        except BaseException as error:
            for _, future in lot:
                if future.done():
                    continue
                if isinstance(error, Exception):
                    future.set_exception(_fresh(error))
                else:
                    future.cancel()
            if not isinstance(error, Exception):
                raise
        finally:
            lane.in_flight -= 1
            self._flush(lane_key, lane)


def _fresh(error: Exception) -> Exception:
    """Return an error for one more caller: a raised one carries its raiser's traceback."""
    if type(error).__init__ is PlatformError.__init__ and isinstance(error, PlatformError):
        return type(error)(
            error.reason,
            error.message,
            metadata=error.metadata,
            retry_after_s=error.retry_after_s,
        )
    return error
