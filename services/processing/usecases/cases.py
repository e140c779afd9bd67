"""Adjudicators look at cases and decide them; each view and decision is audited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from services.common.clock import Clock
from services.common.errors import FailedPrecondition, NotFound
from services.processing.domain.case import Case, Decision, PersonView
from services.processing.ports import Identities, Keys, Store
from services.processing.usecases.registrations import DEFAULT_PAGE_SIZE, place_of


@dataclass(frozen=True)
class CaseWithReason:
    """A case, and the adjudicator's words in clear."""

    case: Case
    reason: str = ""


@dataclass(frozen=True)
class CasePage:
    """Cases, oldest first, and the token of the next page, empty on the last."""

    cases: list[CaseWithReason]
    next_page_token: str


class ListCases:
    """Shows cases page by page."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def __call__(self, *, decided: bool, page_size: int, page_token: str) -> CasePage:
        """Return a page.

        Raises:
            InvalidArgument: PAGE_TOKEN_INVALID.
        """
        limit = page_size or DEFAULT_PAGE_SIZE
        after = place_of(page_token) if page_token else 0
        async with self._store.transaction() as tx:
            found = await tx.cases(decided=decided, after=after, limit=limit + 1)
            details = {"cases": str(min(len(found), limit))}
            await tx.audit("CASES_LISTED", "cases", b"", details=details)
        shown = found[:limit]
        reasons = await asyncio.gather(
            *(self._keys.open_reason(case.case_id, case.sealed_reason) for case in shown)
        )
        token = str(shown[-1].sequence) if len(found) > limit else ""
        return CasePage([CaseWithReason(*pair) for pair in zip(shown, reasons, strict=True)], token)


class GetCase:
    """Shows a case with both records."""

    def __init__(self, store: Store, keys: Keys, identities: Identities) -> None:
        self._store = store
        self._keys = keys
        self._identities = identities

    async def __call__(self, case_id: UUID) -> tuple[CaseWithReason, PersonView, list[PersonView]]:
        """Return the case, the applicant and the candidates in their order.

        Raises:
            NotFound: CASE_NOT_FOUND.
        """
        async with self._store.transaction() as tx:
            case = await tx.case(case_id)
            if case is None:
                raise NotFound("CASE_NOT_FOUND", "There is no such case.")
            await tx.audit("CASE_VIEWED", "case", case_id.bytes)
        applicant, reason, candidates = await asyncio.gather(
            self._keys.open_view(case_id, case.sealed_applicant),
            self._keys.open_reason(case_id, case.sealed_reason),
            asyncio.gather(
                *(self._identities.view(each.registration_id) for each in case.candidates)
            ),
        )
        return CaseWithReason(case, reason), applicant, candidates


class DecideCase:
    """Decides a case; the registration goes on from there.

    Args:
        wake: says that there is work.
    """

    def __init__(self, store: Store, keys: Keys, clock: Clock, wake: Callable[[], None]) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._wake = wake

    async def __call__(
        self, case_id: UUID, decision: Decision, reason: str, *, by: str
    ) -> CaseWithReason:
        """Return the decided case; the same decision again changes nothing.

        Raises:
            NotFound: CASE_NOT_FOUND.
            FailedPrecondition: CASE_DECIDED, otherwise, already.
        """
        sealed_reason = await self._keys.seal_reason(case_id, reason)
        async with self._store.transaction() as tx:
            case = await tx.case(case_id, lock=True)
            if case is None:
                raise NotFound("CASE_NOT_FOUND", "There is no such case.")
            if case.decision is None:
                await tx.decide(case_id, decision, by, sealed_reason, self._clock.now())
                await tx.resume(case.registration_id)
                details = {"decision": decision.value}
                await tx.audit("CASE_DECIDED", "case", case_id.bytes, details=details)
            elif case.decision is not decision:
                raise FailedPrecondition("CASE_DECIDED", "The case was decided otherwise.")
            decided = await tx.case(case_id)
            assert decided is not None
        self._wake()
        return CaseWithReason(decided, await self._keys.open_reason(case_id, decided.sealed_reason))
