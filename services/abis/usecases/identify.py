"""A probe is searched for among all references."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic
from uuid import UUID

from services.abis.domain.answer import answer_from_bytes, answer_to_bytes
from services.abis.domain.candidate import (
    DEFAULT_CANDIDATE_FPIR,
    DEFAULT_MATCH_FPIR,
    Thresholds,
    score_at_fpir,
    score_of_similarity,
)
from services.abis.domain.reference import Position, Template
from services.abis.domain.request import answered, content_of
from services.abis.domain.search import Answer, Found, Search
from services.abis.ports import Galleries, Keys, Parsed, Store
from services.abis.usecases.follow_log import FollowLog
from services.abis.usecases.parse import parse_probe
from services.abis.usecases.search_queue import SearchQueue
from services.abis.usecases.stored import stored_templates

DEFAULT_MAX_CANDIDATES = 10
_KIND = "IDENTIFY"


class Identify(Generic[Parsed]):
    """Searches 1:N.

    Args:
        wait_s: how long a search waits for the galleries at most.
        candidate_fpir: the policy's target where a search has none.
        match_fpir: that of a match.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        galleries: Galleries[Parsed],
        log: FollowLog[Parsed],
        queue: SearchQueue[Parsed],
        *,
        wait_s: float,
        candidate_fpir: float = DEFAULT_CANDIDATE_FPIR,
        match_fpir: float = DEFAULT_MATCH_FPIR,
    ) -> None:
        self._store = store
        self._keys = keys
        self._galleries = galleries
        self._log = log
        self._queue = queue
        self._wait_s = wait_s
        self._candidate_fpir = candidate_fpir
        self._match_fpir = match_fpir

    async def __call__(self, search: Search) -> Answer:
        """Return the candidates, best first, and what the search was.

        Raises:
            InvalidArgument: PROBE_MALFORMED, PROBE_UNUSABLE.
            NotFound: REFERENCE_NOT_FOUND.
            AlreadyExists: REQUEST_ID_REUSED.
            Unavailable: GALLERY_LOADING.
            ResourceExhausted: SEARCHES_TOO_MANY.
            DeadlineExceeded: SEARCH_TOO_SLOW.
        """
        if search.request_id is None:
            return await self._search(search)
        known = await self._answered(search.request_id, search)
        if known is not None:
            return known
        answer = await self._search(search)
        sealed = await self._keys.seal_answer(search.request_id, answer_to_bytes(answer))
        async with self._store.transaction() as tx:
            kept = await tx.keep_request(
                answered(search.request_id, _KIND, _content(search), sealed)
            )
        if kept:
            return answer
        # The same request at the same time was quicker.
        return await self._answered(search.request_id, search) or answer

    async def _answered(self, request_id: UUID, search: Search) -> Answer | None:
        async with self._store.transaction() as tx:
            known = await tx.request(request_id)
        if known is None:
            return None
        sealed = known.checked(_KIND, _content(search))
        return answer_from_bytes(await self._keys.open_answer(request_id, sealed))

    async def _search(self, search: Search) -> Answer:
        loop = asyncio.get_running_loop()
        started = loop.time()
        wait_s = self._wait_s
        if search.deadline_s is not None:
            wait_s = min(wait_s, search.deadline_s)
        applied = await self._log.wait_for(search.applied_up_to, timeout_s=wait_s)
        itself = search.subject if isinstance(search.subject, UUID) else None
        probe = None if itself is None else self._log.recent(itself)
        if probe is None:
            templates = await self._templates(search.subject)
            probe = await parse_probe(self._galleries, templates)
        thresholds = self._thresholds(search, self._galleries.references())
        wanted = search.max_candidates or DEFAULT_MAX_CANDIDATES
        left_s = None
        if search.deadline_s is not None:
            left_s = max(search.deadline_s - (loop.time() - started), 0.001)
        found = await self._queue.search(
            probe,
            search.manner,
            # One more, for the reference itself is always found.
            max_candidates=wanted + (itself is not None),
            min_score=_least(search, thresholds),
            deadline_s=left_s,
        )
        return decided(search, found, applied, thresholds)

    def _thresholds(self, search: Search, references: int) -> Thresholds:
        size = search.gallery_size or references
        fpir = search.target_fpir or self._candidate_fpir
        return Thresholds(
            candidate=score_at_fpir(size, fpir),
            match=score_at_fpir(size, min(self._match_fpir, fpir)),
        )

    async def _templates(self, subject: UUID | Sequence[Template]) -> Sequence[Template]:
        if not isinstance(subject, UUID):
            return subject
        return await stored_templates(self._store, self._keys, subject)


def decided(
    search: Search, found: Found, applied_up_to: Position, thresholds: Thresholds
) -> Answer:
    """Return the answer: who is enough of a candidate, but for the subject itself."""
    itself = search.subject if isinstance(search.subject, UUID) else None
    least = _least(search, thresholds)
    candidates = [
        replace(each, decision=thresholds.decide(each.score))
        for each in found.candidates
        if each.reference_id != itself and each.score >= least
    ]
    was_searched = itself is not None and (not search.among or itself in search.among)
    return Answer(
        candidates[: search.max_candidates or DEFAULT_MAX_CANDIDATES],
        max(found.searched - was_searched, 0),
        found.exact,
        found.loss_bound,
        applied_up_to,
        thresholds,
    )


def _least(search: Search, thresholds: Thresholds) -> float:
    if search.min_similarity is None:
        return thresholds.candidate
    least = score_of_similarity(search.min_similarity)
    return least if search.target_fpir is None else max(least, thresholds.candidate)


def _content(search: Search) -> bytes:
    """Return what a search asks; where its answer must be found at the latest is not part of it."""
    if isinstance(search.subject, UUID):
        subject = b"id " + content_of(search.subject)
    else:
        subject = b"templates " + content_of(UUID(int=0), search.subject)
    among = b"".join(sorted(each.bytes for each in search.among))
    how = (
        search.max_candidates,
        search.min_similarity,
        search.target_fpir,
        search.exhaustive,
        search.positions.value,
        search.gallery_size,
        len(search.among),
    )
    return repr(how).encode() + among + subject
