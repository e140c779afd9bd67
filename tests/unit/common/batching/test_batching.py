from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence

import pytest

from services.common.batching import Batcher
from services.common.errors import InvalidArgument, PlatformError, Unavailable

CALLER: contextvars.ContextVar[str] = contextvars.ContextVar("CALLER", default="nobody")


class Server:
    """Doubles numbers; negative ones are refused; holds requests until let go."""

    def __init__(self) -> None:
        self.requests: list[list[int]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.failure: Exception | None = None
        self.callers: set[str] = set()

    async def __call__(self, items: Sequence[int]) -> list[int | PlatformError]:
        self.requests.append(list(items))
        self.callers.add(CALLER.get())
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        refused = InvalidArgument("CIPHERTEXT_REFUSED", "no")
        return [2 * item if item >= 0 else refused for item in items]


@pytest.fixture
def server() -> Server:
    return Server()


async def _call(batcher: Batcher, server: Server, *items: int, key: str = "key") -> list[int]:
    return await batcher.call(key, items, server, max_items=3, max_in_flight=2)


async def test_calls_of_one_turn_share_requests_and_get_their_own_results(server: Server) -> None:
    batcher = Batcher(linger_s=0.0)
    results = await asyncio.gather(*(_call(batcher, server, number) for number in range(5)))
    assert results == [[0], [2], [4], [6], [8]]
    assert server.requests == [[0, 1, 2], [3, 4]]


async def test_a_call_with_many_items_is_split(server: Server) -> None:
    assert await _call(Batcher(linger_s=0.0), server, *range(8)) == [
        2 * number for number in range(8)
    ]
    assert list(map(len, server.requests)) == [3, 3, 2]


async def test_keys_do_not_share(server: Server) -> None:
    batcher = Batcher(linger_s=0.0)
    await asyncio.gather(_call(batcher, server, 1), _call(batcher, server, 2, key="other"))
    assert server.requests == [[1], [2]]


async def test_what_arrives_while_all_places_are_taken_is_gathered(server: Server) -> None:
    batcher = Batcher(linger_s=0.0)
    server.go.clear()
    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(_call(batcher, server, number)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert server.requests == [[0], [1]]
    server.go.set()
    assert await asyncio.gather(*tasks) == [[0], [2], [4], [6], [8]]
    assert server.requests == [[0], [1], [2, 3, 4]]


async def test_an_items_error_is_its_callers_only(server: Server) -> None:
    batcher = Batcher(linger_s=0.0)
    outcomes = await asyncio.gather(
        _call(batcher, server, 1), _call(batcher, server, -1), return_exceptions=True
    )
    assert outcomes[0] == [2]
    assert isinstance(outcomes[1], InvalidArgument)


async def test_a_failed_request_fails_all_its_callers_each_with_an_error_of_its_own(
    server: Server,
) -> None:
    batcher = Batcher(linger_s=0.0)
    server.failure = Unavailable("VAULT_UNAVAILABLE", "away", retry_after_s=1)
    outcomes = await asyncio.gather(
        _call(batcher, server, 1), _call(batcher, server, 2), return_exceptions=True
    )
    assert all(isinstance(each, Unavailable) for each in outcomes)
    assert outcomes[0] is not outcomes[1]
    server.failure = None
    assert await _call(batcher, server, 3) == [6]


async def test_items_whose_caller_left_before_are_not_sent(server: Server) -> None:
    batcher = Batcher(linger_s=0.0)
    server.go.clear()
    first = [asyncio.create_task(_call(batcher, server, number)) for number in (1,)]
    await asyncio.sleep(0.001)
    second = asyncio.create_task(_call(batcher, server, 2))
    await asyncio.sleep(0.001)
    leaving = asyncio.create_task(_call(batcher, server, 3))
    await asyncio.sleep(0.001)
    leaving.cancel()
    await asyncio.sleep(0.001)
    server.go.set()
    await asyncio.gather(*first, second)
    await batcher.close()
    assert server.requests == [[1], [2]]


async def test_a_shared_request_runs_in_nobodys_context(server: Server) -> None:
    CALLER.set("first")
    await _call(Batcher(linger_s=0.0), server, 1)
    assert server.callers == {"nobody"}


async def test_nothing_is_kept_of_keys_that_are_not_in_use(server: Server) -> None:
    batcher = Batcher(linger_s=0.0)
    for number in range(100):
        await _call(batcher, server, number, key=f"key {number}")
    assert len(batcher._lanes) <= 64


async def test_a_call_waits_for_others_only_where_one_was_sent_a_moment_ago(server: Server) -> None:
    batcher = Batcher(linger_s=0.01)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await _call(batcher, server, 1)
    assert loop.time() - started < 0.01
    second = asyncio.create_task(_call(batcher, server, 2))
    await asyncio.sleep(0.002)
    assert list(await asyncio.gather(second, _call(batcher, server, 3))) == [[4], [6]]
    assert server.requests == [[1], [2, 3]]
    await asyncio.sleep(0.03)
    started = loop.time()
    await _call(batcher, server, 4)
    assert loop.time() - started < 0.01


async def test_enough_items_are_sent_beside_a_request_that_is_under_way(server: Server) -> None:
    batcher = Batcher(linger_s=0.0)
    server.go.clear()

    def call(*items: int) -> asyncio.Task[list[int]]:
        made = batcher.call("key", items, server, max_items=3, enough_items=2, max_in_flight=2)
        return asyncio.create_task(made)

    calls = [call(1)]
    await asyncio.sleep(0.001)
    calls.append(call(2))
    await asyncio.sleep(0.001)
    assert server.requests == [[1]]
    calls.append(call(3))
    await asyncio.sleep(0.001)
    assert server.requests == [[1], [2, 3]]
    calls.append(call(4, 5, 6))
    await asyncio.sleep(0.001)
    assert server.requests == [[1], [2, 3]]
    server.go.set()
    assert await asyncio.gather(*calls) == [[2], [4], [6], [8, 10, 12]]


async def test_an_item_that_fails_by_itself_fails_its_own_caller(server: Server) -> None:
    async def send(items: Sequence[int]) -> list[int | Exception]:
        return [KeyError("no") if item < 0 else item for item in items]

    batcher = Batcher()
    made = [batcher.call("key", [item], send, max_items=9) for item in (1, -1, 2)]
    first, second, third = await asyncio.gather(*made, return_exceptions=True)
    assert isinstance(second, KeyError)
    assert first == [1]
    assert third == [2]
