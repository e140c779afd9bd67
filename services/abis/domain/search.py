"""What is searched for, and what is found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from services.abis.domain.candidate import Candidate, Thresholds
from services.abis.domain.reference import Position, Template


class PositionsMode(Enum):
    """Which finger of the probe is compared with which of the reference; values as on the wire."""

    GIVEN = 1
    SWAPPED_HANDS = 2
    ANY = 3


@dataclass(frozen=True, slots=True)
class Manner:
    """How a search is made; searches of one manner can share the work.

    among: only these references, None means all.
    """

    exhaustive: bool = False
    positions: PositionsMode = PositionsMode.GIVEN
    among: frozenset[UUID] | None = None


@dataclass(frozen=True)
class Search:
    """What to search for, and where.

    Attributes:
        subject: templates, or the id of the reference whose templates are meant.
        max_candidates: 0 means 10.
        min_similarity: the least to show; None means that target_fpir alone counts.
        target_fpir: non-mated candidates per search; None means the policy's, or none at all
            where there is a min_similarity.
        among: only these references; empty means all.
        applied_up_to: the galleries must hold everything up to here.
        deadline_s: None means no end.
        gallery_size: of which target_fpir is meant; 0 means what is held here.
        request_id: the same again is answered as the first time.
    """

    subject: UUID | Sequence[Template]
    max_candidates: int = 0
    min_similarity: float | None = None
    target_fpir: float | None = None
    among: Collection[UUID] = ()
    applied_up_to: Position | None = None
    deadline_s: float | None = None
    exhaustive: bool = False
    positions: PositionsMode = PositionsMode.GIVEN
    gallery_size: int = 0
    request_id: UUID | None = None

    @property
    def manner(self) -> Manner:
        """How to search."""
        among = frozenset(self.among) if self.among else None
        return Manner(self.exhaustive, self.positions, among)


@dataclass(frozen=True, slots=True)
class Found:
    """What the galleries found for one probe.

    exact: whether comparing everything with everyone would have found the same.
    loss_bound: where not, the greatest share of mated persons that may be lost.
    """

    candidates: Sequence[Candidate]
    searched: int
    exact: bool
    loss_bound: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found, decided, best first."""

    candidates: Sequence[Candidate]
    searched: int
    exact: bool
    loss_bound: float
    applied_up_to: Position
    thresholds: Thresholds
