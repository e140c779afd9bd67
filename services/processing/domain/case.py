"""An applicant who looks like somebody else, to be decided by a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID

from services.processing.domain.candidates import CaseCandidate
from services.processing.domain.packet import Modality


class Decision(Enum):
    """What the adjudicator says."""

    DUPLICATE = "DUPLICATE"
    DISTINCT = "DISTINCT"


@dataclass(frozen=True, slots=True)
class Case:
    """A row.

    Attributes:
        sealed_applicant: the applicant's record as of the opening, under a data key of its own.
        decision: None while it is open.
        sealed_reason: the adjudicator's words, sealed too, for they may name people.
    """

    case_id: UUID
    registration_id: str
    opened_at: datetime
    candidates: tuple[CaseCandidate, ...]
    sealed_applicant: bytes = field(repr=False)
    decision: Decision | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    sealed_reason: bytes = field(default=b"", repr=False)
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class PersonView:
    """What an adjudicator sees of one person.

    Attributes:
        demographics: the identity object, as JSON text.
        templates: which there are: modality and position.
    """

    registration_id: str
    demographics: str = field(repr=False)
    templates: tuple[tuple[Modality, int], ...] = ()
