"""Proto to domain and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from idmesh.abis.v1 import abis_service_pb2
from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.feed.v1 import feed_pb2

from services.abis.domain.candidate import Candidate
from services.abis.domain.partition import Share
from services.abis.domain.reference import Modality, Position, Template
from services.abis.domain.search import Answer, PositionsMode, Search
from services.abis.ports import Memory
from services.abis.usecases.bulk_load import Item, Progress
from services.abis.usecases.partitions import PartitionFound, PartitionState


def template_from_proto(template: biometrics_pb2.Template) -> Template:
    """Return the template, whose modality must be specified."""
    return Template(Modality(template.modality), template.position, template.data)


def template_to_proto(template: Template) -> biometrics_pb2.Template:
    """Return the message."""
    return biometrics_pb2.Template(
        modality=_modality_to_proto(template.modality),
        position=template.position,
        data=template.data,
    )


def templates_to_bytes(templates: Sequence[Template]) -> bytes:
    """Return templates as they are sealed."""
    probe = biometrics_pb2.Probe(templates=map(template_to_proto, templates))
    return probe.SerializeToString(deterministic=True)


def templates_from_bytes(data: bytes) -> list[Template]:
    """Undo templates_to_bytes."""
    return templates_from_proto(biometrics_pb2.Probe.FromString(data).templates)


def templates_from_proto(templates: Iterable[biometrics_pb2.Template]) -> list[Template]:
    """Return the templates."""
    return [template_from_proto(template) for template in templates]


def position_to_proto(position: Position) -> feed_pb2.Position:
    """Return the message; the log orders by sequence alone."""
    return feed_pb2.Position(epoch=position.epoch, sequence=position.sequence)


def search_from_proto(
    request: abis_service_pb2.IdentifyRequest, deadline_s: float | None
) -> Search:
    """Return the search."""
    subject: UUID | list[Template]
    if request.HasField("reference_id"):
        subject = UUID(bytes=request.reference_id)
    else:
        subject = templates_from_proto(request.probe.templates)
    place = request.applied_up_to
    return Search(
        subject=subject,
        max_candidates=request.max_candidates,
        min_similarity=request.min_similarity if request.HasField("min_similarity") else None,
        target_fpir=request.target_fpir if request.HasField("target_fpir") else None,
        among=frozenset(UUID(bytes=each) for each in request.among),
        applied_up_to=(
            Position(place.epoch, place.sequence) if request.HasField("applied_up_to") else None
        ),
        deadline_s=deadline_s,
        exhaustive=request.exhaustive,
        positions=PositionsMode(request.positions_mode or PositionsMode.GIVEN.value),
        gallery_size=request.gallery_size,
        request_id=request_id_from_proto(request.request_id),
    )


def request_id_from_proto(request_id: bytes) -> UUID | None:
    """Return the id of a request, None where it has none."""
    return UUID(bytes=request_id) if request_id else None


def answer_to_proto(answer: Answer) -> abis_service_pb2.IdentifyResponse:
    """Return the message."""
    return abis_service_pb2.IdentifyResponse(
        candidates=map(candidate_to_proto, answer.candidates),
        searched=answer.searched,
        exact=answer.exact,
        loss_bound=answer.loss_bound,
        applied_up_to=position_to_proto(answer.applied_up_to),
        candidate_score=answer.thresholds.candidate,
        match_score=answer.thresholds.match,
    )


def item_from_proto(item: abis_service_pb2.BulkLoadItem) -> Item:
    """Return the item of a bulk load."""
    return Item(item.number, UUID(bytes=item.reference_id), templates_from_proto(item.templates))


def progress_to_proto(progress: Progress) -> abis_service_pb2.BulkLoadResponse:
    """Return the message."""
    return abis_service_pb2.BulkLoadResponse(
        durable_up_to=progress.durable_up_to,
        position=None if progress.position is None else position_to_proto(progress.position),
        refusals=[
            abis_service_pb2.BulkLoadRefusal(number=number, reason=reason)
            for number, reason in sorted(progress.refused.items())
        ],
    )


def memory_to_proto(memory: Memory) -> abis_service_pb2.GalleryMemory:
    """Return the message."""
    return abis_service_pb2.GalleryMemory(
        references=memory.references,
        dead_rows=memory.dead_rows,
        segments=memory.segments,
        resident_bytes=memory.resident_bytes,
        locked_bytes=memory.locked_bytes,
        kernel_set=memory.kernel_set,
    )


def candidate_to_proto(candidate: Candidate) -> biometrics_pb2.Candidate:
    """Return the message."""
    return biometrics_pb2.Candidate(
        reference_id=candidate.reference_id.bytes,
        similarity=candidate.similarity,
        score=candidate.score,
        decision=biometrics_pb2.Decision.Value(f"DECISION_{candidate.decision.name}"),
        by_template=[
            biometrics_pb2.TemplateSimilarity(
                modality=_modality_to_proto(each.modality),
                position=each.position,
                similarity=each.similarity,
                log_likelihood_ratio=each.llr,
            )
            for each in candidate.by_template
        ],
    )


def share_from_proto(partition: abis_service_pb2.Partition) -> Share:
    """Return which share of the references is meant."""
    return Share(partition.count, partition.number)


def partition_found_to_proto(found: PartitionFound) -> abis_service_pb2.SearchPartitionResponse:
    """Return the message."""
    return abis_service_pb2.SearchPartitionResponse(
        found=abis_service_pb2.IdentifyResponse(
            candidates=map(candidate_to_proto, found.candidates),
            searched=found.searched,
            exact=found.exact,
            loss_bound=found.loss_bound,
            applied_up_to=position_to_proto(found.applied_up_to),
        ),
        references=found.references,
    )


def partition_state_to_proto(state: PartitionState) -> abis_service_pb2.GetPartitionResponse:
    """Return the message."""
    applied = state.applied_up_to
    return abis_service_pb2.GetPartitionResponse(
        references=state.references,
        applied_up_to=None if applied is None else position_to_proto(applied),
    )


def _modality_to_proto(modality: Modality) -> biometrics_pb2.Modality.ValueType:
    return biometrics_pb2.Modality.Value(f"MODALITY_{modality.name}")
