"""A probe is searched for among all references."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Generic
from uuid import UUID

from services.abis.domain.candidate import DEFAULT_MIN_SIMILARITY, Candidate
from services.abis.domain.reference import Position, Template
from services.abis.ports import Galleries, Keys, Parsed, Store, TemplateRefusedError
from services.abis.usecases.follow_log import FollowLog
from services.common.errors import InvalidArgument, NotFound

DEFAULT_MAX_CANDIDATES = 10


@dataclass(frozen=True)
class Search:
    """What to search for, and where.

    Attributes:
        subject: templates, or the id of the reference whose templates are meant.
        max_candidates: 0 means 10.
        min_similarity: None means the policy's.
        among: only these references; empty means all.
        applied_up_to: the galleries must hold everything up to here.
        deadline_s: None means no end.
    """

    subject: UUID | Sequence[Template]
    max_candidates: int = 0
    min_similarity: float | None = None
    among: Collection[UUID] = ()
    applied_up_to: Position | None = None
    deadline_s: float | None = None


class Identify(Generic[Parsed]):
    """Searches 1:N.

    Args:
        wait_s: how long a search waits for the galleries at most.
        executor: the threads that searches run in.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        galleries: Galleries[Parsed],
        log: FollowLog[Parsed],
        executor: Executor,
        *,
        wait_s: float,
        min_similarity: float = DEFAULT_MIN_SIMILARITY,
    ) -> None:
        self._store = store
        self._keys = keys
        self._galleries = galleries
        self._log = log
        self._executor = executor
        self._wait_s = wait_s
        self._min_similarity = min_similarity

    async def __call__(self, search: Search) -> tuple[list[Candidate], int]:
        """Return the candidates, best first, and how many references were compared with.

        Raises:
            InvalidArgument: PROBE_MALFORMED.
            NotFound: REFERENCE_NOT_FOUND.
            Unavailable: GALLERY_LOADING.
            DeadlineExceeded: SEARCH_TOO_SLOW.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        wait_s = self._wait_s
        if search.deadline_s is not None:
            wait_s = min(wait_s, search.deadline_s)
        await self._log.wait_for(search.applied_up_to, timeout_s=wait_s)
        itself = search.subject if isinstance(search.subject, UUID) else None
        probe = None if itself is None else self._log.recent(itself)
        if probe is None:
            probe = await self._parse(await self._templates(search.subject))
        wanted = search.max_candidates or DEFAULT_MAX_CANDIDATES
        least = search.min_similarity
        left_s = None
        if search.deadline_s is not None:
            left_s = max(search.deadline_s - (loop.time() - started), 0.001)
        found = await loop.run_in_executor(
            self._executor,
            partial(
                self._galleries.search,
                probe,
                # One more, for the reference itself is always found.
                max_candidates=wanted + (itself is not None),
                min_similarity=self._min_similarity if least is None else least,
                among=search.among or None,
                deadline_s=left_s,
            ),
        )
        candidates = [each for each in found if each.reference_id != itself][:wanted]
        searched = len(search.among) if search.among else self._galleries.references()
        return candidates, max(searched - (itself is not None and not search.among), 0)

    async def _templates(self, subject: UUID | Sequence[Template]) -> Sequence[Template]:
        if not isinstance(subject, UUID):
            return subject
        async with self._store.transaction() as tx:
            reference = await tx.reference(subject)
        if reference is None:
            raise NotFound(
                "REFERENCE_NOT_FOUND",
                "There is no such reference.",
                field="reference_id",
                metadata={"mosip_code": "12"},
            )
        return await self._keys.open(subject, reference.sealed)

    async def _parse(self, templates: Sequence[Template]) -> Parsed:
        try:
            return await asyncio.to_thread(self._galleries.parse, templates)
        except TemplateRefusedError as error:
            raise InvalidArgument(
                "PROBE_MALFORMED",
                "A template does not parse.",
                field=f"probe.templates[{error.index}].{error.part}",
                metadata={"why": error.why},
            ) from error
