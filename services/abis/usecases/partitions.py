"""All partitions are asked at once, and nothing is answered from a part of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from services.abis.domain.candidate import Candidate
from services.abis.domain.partition import Share
from services.abis.domain.reference import Position
from services.abis.domain.search import Answer, Found, Search
from services.abis.ports import Galleries, Parsed, Store
from services.abis.usecases.follow_log import FollowLog
from services.abis.usecases.identify import DEFAULT_MAX_CANDIDATES, Identify, decided
from services.common.errors import (
    FailedPrecondition,
    InvalidArgument,
    PlatformError,
    ResourceExhausted,
    Unavailable,
)

# So long that channels leave it to their callers: here it was tried again already.
_RETRY_AFTER_S: Final = 2.0
# Left for putting the answers together.
_GATHER_S: Final = 0.2
_LEAST_S: Final = 0.05
# Between two tries of a partition that is away or behind.
_PAUSE_S: Final = 0.1
# Counting takes no time.
_COUNT_S: Final = 5.0
# What is wrong with the question, whichever partition says so first.
_OF_THE_QUESTION: Final = frozenset({"POSITION_OF_ANOTHER_EPOCH"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartitionFound:
    """What one partition found; applied_up_to: it holds its share of everything up to there."""

    candidates: Sequence[Candidate]
    searched: int
    exact: bool
    loss_bound: float
    applied_up_to: Position
    references: int


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What a partition holds; applied_up_to is None while it is loaded."""

    references: int
    applied_up_to: Position | None


class Partition(Protocol):
    """One partition, here or in another process."""

    @property
    def number(self) -> int:
        """Which one."""
        ...

    async def search(self, search: Search) -> PartitionFound:
        """Search it for templates, within search.deadline_s.

        Raises:
            PlatformError: see the RPC SearchPartition.
        """
        ...

    async def state(self, *, timeout_s: float) -> PartitionState:
        """Say what it holds."""
        ...


class OwnPartition:
    """The partition that this process holds; see Partition.

    Args:
        identify: searches what is held here.
    """

    def __init__(
        self,
        share: Share,
        identify: Identify[Any],
        galleries: Galleries[Any],
        log: FollowLog[Any],
    ) -> None:
        self._share = share
        self._identify = identify
        self._galleries = galleries
        self._log = log

    @property
    def number(self) -> int:
        """Which one."""
        return self._share.number

    def check(self, asked: Share) -> None:
        """Refuse a question that is meant for another process.

        Raises:
            FailedPrecondition: PARTITION_MISMATCH.
        """
        if asked != self._share:
            raise FailedPrecondition(
                "PARTITION_MISMATCH",
                "This process serves another partition.",
                metadata={"partition": str(self._share.number), "count": str(self._share.count)},
            )

    async def search(self, search: Search) -> PartitionFound:
        """Search what is held here."""
        # Who asks has heard of a change that the follower may not look for yet.
        self._log.wake()
        answer = await self._identify(search)
        return PartitionFound(
            answer.candidates,
            answer.searched,
            answer.exact,
            answer.loss_bound,
            answer.applied_up_to,
            self._galleries.references(),
        )

    async def state(self, *, timeout_s: float) -> PartitionState:
        """Say what is held here."""
        return PartitionState(self._galleries.references(), self._log.position)


class AllPartitions:
    """Asks every partition; each must answer in time.

    Args:
        limit_s: for a question that has no deadline.
        retry_s: how long one that is away or behind is asked again, within the deadline.
    """

    def __init__(self, partitions: Sequence[Partition], *, limit_s: float, retry_s: float) -> None:
        self._partitions = partitions
        self._limit_s = limit_s
        self._retry_s = retry_s

    async def ask(
        self, call: Callable[[Partition, float], Awaitable[T]], *, deadline_s: float | None = None
    ) -> list[T]:
        """Return every partition's answer.

        Args:
            call: asks one, within so many seconds.

        Raises:
            Unavailable: GALLERY_INCOMPLETE, one is away, slow or behind; metadata names it.
            PlatformError: what is wrong with the question.
        """
        left_s = self._limit_s if deadline_s is None else min(self._limit_s, deadline_s)
        limit_s = max(left_s - _GATHER_S, _LEAST_S)
        tasks = [asyncio.ensure_future(self._one(each, call, limit_s)) for each in self._partitions]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(
        self, partition: Partition, call: Callable[[Partition, float], Awaitable[T]], limit_s: float
    ) -> T:
        ends_at = asyncio.get_running_loop().time() + limit_s
        why = ""
        try:
            # Whatever a partition does with its time, the answer is due.
            async with asyncio.timeout_at(ends_at + _GATHER_S / 2):
                async for left_s in self._tries(ends_at):
                    try:
                        return await call(partition, left_s)
                    except Unavailable as error:
                        why = error.reason
        except (InvalidArgument, ResourceExhausted):
            raise
        except TimeoutError as error:
            raise _incomplete(partition.number, why or "DEADLINE_EXCEEDED") from error
        except PlatformError as error:
            if error.reason in _OF_THE_QUESTION:
                raise
            raise _incomplete(partition.number, why or error.reason) from error
        raise _incomplete(partition.number, why)

    async def _tries(self, ends_at: float) -> AsyncIterator[float]:
        """Yield the time that is left for each try, as long as there is any."""
        loop = asyncio.get_running_loop()
        gives_up_at = min(ends_at, loop.time() + self._retry_s)
        yield ends_at - loop.time()
        while loop.time() + _PAUSE_S < gives_up_at:
            await asyncio.sleep(_PAUSE_S)
            yield ends_at - loop.time()


class IdentifyEverywhere(Identify[Parsed]):
    """Searches 1:N in all partitions; the answer is what one gallery of all would give."""

    def __init__(self, *arguments: Any, partitions: AllPartitions, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._partitions = partitions

    async def _search(self, search: Search) -> Answer:
        """Ask everyone.

        A partition's own size asks for less than that of all: whoever is a candidate of the whole
        is one there, and what is too little for the whole is left out here.

        Raises:
            Unavailable: GALLERY_INCOMPLETE, and what Identify raises.
        """
        itself = search.subject if isinstance(search.subject, UUID) else None
        wanted = search.max_candidates or DEFAULT_MAX_CANDIDATES
        asked = replace(
            search,
            subject=await self._templates(search.subject),
            # One more, for the reference itself is always found.
            max_candidates=wanted + (itself is not None),
            request_id=None,
        )
        answers = await self._partitions.ask(
            lambda partition, limit_s: partition.search(replace(asked, deadline_s=limit_s)),
            deadline_s=search.deadline_s,
        )
        found = Found(
            sorted(
                (each for answer in answers for each in answer.candidates),
                key=lambda each: (-each.score, each.reference_id.bytes),
            ),
            sum(answer.searched for answer in answers),
            all(answer.exact for answer in answers),
            max(answer.loss_bound for answer in answers),
        )
        thresholds = self._thresholds(search, sum(answer.references for answer in answers))
        applied = min(answer.applied_up_to for answer in answers)
        return decided(search, found, applied, thresholds)


class CountEverywhere:
    """Counts what the partitions hold."""

    def __init__(self, store: Store, partitions: AllPartitions) -> None:
        self._store = store
        self._partitions = partitions

    async def __call__(self) -> tuple[int, int]:
        """Return how many references there are in memory, and how many changes the last one lacks.

        Raises:
            Unavailable: GALLERY_INCOMPLETE.
        """
        states = await self._partitions.ask(
            lambda partition, limit_s: partition.state(timeout_s=limit_s), deadline_s=_COUNT_S
        )
        references = sum(state.references for state in states)
        applied = [state.applied_up_to for state in states]
        if None in applied:
            return references, await self._store.count()
        behind = min(place.sequence for place in applied if place is not None)
        return references, await self._store.count_changes_after(behind)


def _incomplete(partition: int, why: str) -> Unavailable:
    return Unavailable(
        "GALLERY_INCOMPLETE",
        "A partition of the references is away, slow or behind.",
        metadata={"partition": str(partition), "why": why, "mosip_code": "2"},
        retry_after_s=_RETRY_AFTER_S,
    )
