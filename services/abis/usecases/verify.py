"""A probe is compared with the reference that it claims to be of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Generic
from uuid import UUID

from services.abis.domain.candidate import (
    DEFAULT_VERIFY_FMR,
    Candidate,
    Thresholds,
    score_at_fpir,
)
from services.abis.domain.reference import Template
from services.abis.ports import Galleries, Keys, Parsed, Store
from services.abis.usecases.parse import parse_probe
from services.abis.usecases.stored import stored_templates


class Verify(Generic[Parsed]):
    """Compares 1:1, with what is in memory, else with what is stored.

    Args:
        fmr: the policy's, of non-mated pairs that pass.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        galleries: Galleries[Parsed],
        executor: Executor,
        *,
        fmr: float = DEFAULT_VERIFY_FMR,
    ) -> None:
        self._store = store
        self._keys = keys
        self._galleries = galleries
        self._executor = executor
        self._fmr = fmr

    async def __call__(
        self,
        reference_id: UUID,
        templates: Sequence[Template],
        *,
        target_fmr: float | None = None,
    ) -> tuple[Candidate, float]:
        """Return the comparison, decided, and the score that a match needs.

        Raises:
            InvalidArgument: PROBE_MALFORMED, PROBE_UNUSABLE.
            NotFound: REFERENCE_NOT_FOUND.
        """
        probe = await parse_probe(self._galleries, templates)
        run = asyncio.get_running_loop().run_in_executor
        compared = await run(self._executor, self._galleries.verify, reference_id, probe)
        if compared is None:
            # Not loaded yet, of another partition, or not there at all.
            kept = await stored_templates(self._store, self._keys, reference_id)
            reference = await asyncio.to_thread(self._galleries.parse, kept)
            compared = await run(
                self._executor, self._galleries.compare, reference_id, reference, probe
            )
        least = score_at_fpir(1, target_fmr or self._fmr)
        decision = Thresholds(least, least).decide(compared.score)
        return replace(compared, decision=decision), least
