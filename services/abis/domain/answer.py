"""Answers as they are kept for the request id that they were given to."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from services.abis.domain.candidate import Candidate, Decision, TemplateComparison, Thresholds
from services.abis.domain.reference import Modality, Position
from services.abis.domain.search import Answer


def answer_to_bytes(answer: Answer) -> bytes:
    """Return JSON; floats are written so that they read back as they were."""
    return json.dumps(
        {
            "candidates": [_candidate_to_json(each) for each in answer.candidates],
            "searched": answer.searched,
            "exact": answer.exact,
            "loss_bound": answer.loss_bound,
            "applied_up_to": [answer.applied_up_to.epoch, answer.applied_up_to.sequence],
            "thresholds": [answer.thresholds.candidate, answer.thresholds.match],
        }
    ).encode()


def answer_from_bytes(data: bytes) -> Answer:
    """Undo answer_to_bytes."""
    document = json.loads(data)
    return Answer(
        candidates=[_candidate_from_json(each) for each in document["candidates"]],
        searched=document["searched"],
        exact=document["exact"],
        loss_bound=document["loss_bound"],
        applied_up_to=Position(*document["applied_up_to"]),
        thresholds=Thresholds(*document["thresholds"]),
    )


def _candidate_to_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "reference_id": str(candidate.reference_id),
        "score": candidate.score,
        "decision": candidate.decision.value,
        "by_template": [
            [each.modality.value, each.position, each.similarity, each.llr]
            for each in candidate.by_template
        ],
    }


def _candidate_from_json(document: dict[str, Any]) -> Candidate:
    return Candidate(
        UUID(document["reference_id"]),
        document["score"],
        tuple(
            TemplateComparison(Modality(modality), position, similarity, llr)
            for modality, position, similarity, llr in document["by_template"]
        ),
        Decision(document["decision"]),
    )
