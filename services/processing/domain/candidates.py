"""Who among those found is a candidate, and whose end must be awaited.

Of two registrations of one person in flight at once the later in abis' log yields to the
earlier: it waits until the earlier one has ended, and then sees it as any other. The earlier
does not wait for the later. Waiting follows the log backwards, so it cannot go in a circle, and
of all such registrations exactly one passes unless an adjudicator says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.processing.domain.registration import Registration, RegistrationState


@dataclass(frozen=True, slots=True)
class TemplateSimilarity:
    """How alike one template of the applicant and one of the candidate are, in [0, 1]."""

    modality: int
    position: int
    similarity: float


@dataclass(frozen=True, slots=True)
class CaseCandidate:
    """Somebody who may be the applicant.

    kind: biometric or demographic.
    """

    registration_id: str
    kind: str
    similarity: float
    by_template: tuple[TemplateSimilarity, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the findings come to.

    Attributes:
        candidates: registrations that have ended with a UIN.
        waits_for: one that must end first.
        unsettled: one whose place is not known yet; it will be in a moment.
    """

    candidates: tuple[CaseCandidate, ...] = field(default=())
    waits_for: str | None = None
    unsettled: bool = False


def judge(mine: Registration, found: Iterable[tuple[Registration, CaseCandidate]]) -> Verdict:
    """Sort the registrations that abis found similar to mine."""
    assert mine.position is not None, "a reference is inserted before it is searched for"
    candidates: list[CaseCandidate] = []
    waits_for: str | None = None
    unsettled = False
    for other, candidate in found:
        if other.registration_id == mine.registration_id or other.state.is_refused:
            continue
        if other.state is RegistrationState.PROCESSED:
            candidates.append(candidate)
        elif other.position is None:
            unsettled = True
        elif other.position < mine.position:
            waits_for = waits_for or other.registration_id
    return Verdict(tuple(candidates), waits_for, unsettled)
