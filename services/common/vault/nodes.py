"""The nodes of one cluster: who is asked first, and who is asked when that one is late or gone.

A standby answers most of transit itself and passes the rest on to the leader, so that any node
will do; while a leader is elected, only the former is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.common.errors import PlatformError, Unavailable
from services.common.vault.breaker import Breaker
from services.common.vault.limits import VaultLimits

R = TypeVar("R")


@dataclass(frozen=True)
class Node:
    """Where it is, and whether calling it makes sense at present."""

    base: str
    breaker: Breaker


class Nodes:
    """Sends a call to one node after the other, beginning with the one that answered last."""

    def __init__(self, bases: Sequence[str], limits: VaultLimits) -> None:
        assert bases, "a cluster has a node"
        self._nodes = [Node(base, Breaker(limits)) for base in bases]
        self._late_s = limits.late_s

    async def call(self, send: Callable[[str], Awaitable[R]], *, repeatable: bool) -> R:
        """Return the first answer.

        Args:
            send: makes the call to the node with this address.
            repeatable: the next node may be asked too while one is late; one that fails is
                always followed by the next.

        Raises:
            Unavailable: no node answers; what the last of them failed with.
        """
        if len(self._nodes) == 1:
            return await _tried(self._nodes[0], send)
        failure: PlatformError | None = None
        waiting = list(self._nodes)
        asked: dict[asyncio.Task[R], Node] = {}
        try:
            while waiting or asked:
                if waiting:
                    node = waiting.pop(0)
                    asked[asyncio.ensure_future(_tried(node, send))] = node
                late_s = self._late_s if waiting and repeatable else None
                done, _ = await asyncio.wait(
                    asked, timeout=late_s, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    node = asked.pop(task)
                    error = task.exception()
                    if error is None:
                        self._prefer(node)
                        return task.result()
                    if not isinstance(error, Unavailable):
                        raise error
                    failure = error
        finally:
            for task in asked:
                task.cancel()
        assert failure is not None
        raise failure

    def _prefer(self, node: Node) -> None:
        if self._nodes[0] is not node:
            self._nodes.remove(node)
            self._nodes.insert(0, node)


async def _tried(node: Node, send: Callable[[str], Awaitable[R]]) -> R:
    node.breaker.enter()
    try:
        answer = await send(node.base)
    except PlatformError as error:
        node.breaker.failed(error)
        raise
    except BaseException:
        node.breaker.abandoned()
        raise
    node.breaker.succeeded()
    return answer
