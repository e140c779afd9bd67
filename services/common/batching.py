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

# A lane that sent something so short a time ago is busy: the next call waits a little for others.
_BUSY_S = 0.02
LINGER_S = 0.0015
_MAX_LANES = 64

# Sends items, returns as many outcomes in the same order: a result, or the item's own error.
Send = Callable[[Sequence[Any]], Awaitable[Sequence[O | Exception]]]


@dataclass
class _Lane(Generic[O]):
    send: Send[O]
    max_items: int
    enough_items: int
    max_in_flight: int
    waiting: deque[tuple[Any, asyncio.Future[O]]] = field(default_factory=deque)
    in_flight: int = 0
    flush_is_due: bool = False
    sent_at_s: float = float("-inf")

    def is_used(self) -> bool:
        """Whether somebody waits in it."""
        return bool(self.waiting or self.in_flight or self.flush_is_due)

    def may_send(self) -> bool:
        """Whether a request may leave now."""
        if self.in_flight == 0:
            return True
        return self.in_flight < self.max_in_flight and len(self.waiting) >= self.enough_items


class Batcher:
    """Gathers what arrives within one turn of the event loop, or while requests are under way.

    A call by itself leaves at once. While its request is under way others wait for its return,
    unless they are enough for a request beside it: so few requests carry many items each, and
    what is done item by item at the other end is still done side by side when there is much.

    Args:
        linger_s: how long a call waits for others where one was sent a moment ago.
    """

    def __init__(self, *, linger_s: float = LINGER_S) -> None:
        self._linger_s = linger_s
        self._lanes: dict[Hashable, _Lane[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(
        self,
        lane_key: Hashable,
        items: Sequence[Any],
        send: Send[O],
        *,
        max_items: int,
        enough_items: int = 1,
        max_in_flight: int = 4,
    ) -> list[O]:
        """Return the items' results; raise the first error if an item has one.

        Calls with one lane_key must give the same send and limits.

        Args:
            lane_key: whose items may share a request.
            items: what to send.
            send: sends one request.
            max_items: of a request.
            enough_items: as many are sent beside a request that is under way.
            max_in_flight: requests under way.
        """
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(lane_key)
        if lane is None:
            self._forget_idle()
            lane = _Lane(send, max_items, enough_items, max_in_flight)
            self._lanes[lane_key] = lane
        futures: list[asyncio.Future[O]] = [loop.create_future() for _ in items]
        lane.waiting.extend(zip(items, futures, strict=True))
        if not lane.flush_is_due:
            lane.flush_is_due = True
            self._flush_soon(loop, lane)
        if len(futures) == 1:
            return [await futures[0]]
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

    def _forget_idle(self) -> None:
        if len(self._lanes) >= _MAX_LANES:
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.is_used()}

    def _flush_soon(self, loop: asyncio.AbstractEventLoop, lane: _Lane[Any]) -> None:
        # Not in the caller's context: its deadline and trace are not those of the others.
        context = contextvars.Context()
        if self._linger_s and loop.time() - lane.sent_at_s < _BUSY_S:
            loop.call_later(self._linger_s, self._flush, lane, context=context)
        else:
            loop.call_soon(self._flush, lane, context=context)

    def _flush(self, lane: _Lane[Any]) -> None:
        lane.flush_is_due = False
        while lane.waiting and lane.may_send():
            lot: list[tuple[Any, asyncio.Future[Any]]] = []
            while lane.waiting and len(lot) < lane.max_items:
                item, future = lane.waiting.popleft()
                # One whose caller went away is not sent.
                if not future.done():
                    lot.append((item, future))
            if not lot:
                break
            lane.in_flight += 1
            loop = asyncio.get_running_loop()
            lane.sent_at_s = loop.time()
            task = loop.create_task(self._run(lane, lot))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, lane: _Lane[Any], lot: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        try:
            outcomes = await lane.send([item for item, _ in lot])
            assert len(outcomes) == len(lot), "an outcome for each item"
            for (_, future), outcome in zip(lot, outcomes, strict=True):
                if future.done():
                    continue
                if isinstance(outcome, Exception):
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
            self._flush(lane)


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
