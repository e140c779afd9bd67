"""A partition that another process of this service holds."""

from __future__ import annotations

from uuid import UUID

from idmesh.abis.v1 import abis_service_pb2 as pb
from idmesh.abis.v1 import abis_service_pb2_grpc
from idmesh.biometrics.v1 import biometrics_pb2
from idmesh.feed.v1 import feed_pb2

from services.abis import convert
from services.abis.domain.candidate import Candidate, TemplateComparison
from services.abis.domain.partition import Share
from services.abis.domain.reference import Modality, Position
from services.abis.domain.search import Search
from services.abis.usecases.partitions import PartitionFound, PartitionState


class RemotePartition:
    """See usecases.partitions.Partition."""

    def __init__(self, share: Share, stub: abis_service_pb2_grpc.AbisServiceAsyncStub) -> None:
        self._share = share
        self._stub = stub
        self._name = pb.Partition(number=share.number, count=share.count)

    @property
    def number(self) -> int:
        """Which one."""
        return self._share.number

    async def search(self, search: Search) -> PartitionFound:
        """Search it."""
        assert not isinstance(search.subject, UUID), "a partition may not hold who is meant"
        request = pb.IdentifyRequest(
            probe=biometrics_pb2.Probe(templates=map(convert.template_to_proto, search.subject)),
            max_candidates=search.max_candidates,
            min_similarity=search.min_similarity,
            target_fpir=search.target_fpir,
            exhaustive=search.exhaustive,
            positions_mode=pb.PositionsMode.Value(f"POSITIONS_MODE_{search.positions.name}"),
            gallery_size=search.gallery_size,
            among=sorted(each.bytes for each in search.among),
        )
        if search.applied_up_to is not None:
            request.applied_up_to.CopyFrom(convert.position_to_proto(search.applied_up_to))
        answer = await self._stub.SearchPartition(
            pb.SearchPartitionRequest(partition=self._name, search=request),
            timeout=search.deadline_s,
        )
        return PartitionFound(
            candidates=[_candidate(each) for each in answer.found.candidates],
            searched=answer.found.searched,
            exact=answer.found.exact,
            loss_bound=answer.found.loss_bound,
            applied_up_to=_position(answer.found.applied_up_to),
            references=answer.references,
        )

    async def state(self, *, timeout_s: float) -> PartitionState:
        """Ask what it holds."""
        answer = await self._stub.GetPartition(
            pb.GetPartitionRequest(partition=self._name), timeout=timeout_s
        )
        known = answer.HasField("applied_up_to")
        return PartitionState(answer.references, _position(answer.applied_up_to) if known else None)


def _position(position: feed_pb2.Position) -> Position:
    return Position(position.epoch, position.sequence)


def _candidate(candidate: biometrics_pb2.Candidate) -> Candidate:
    return Candidate(
        UUID(bytes=candidate.reference_id),
        candidate.score,
        tuple(
            TemplateComparison(
                Modality(each.modality),
                each.position,
                each.similarity,
                each.log_likelihood_ratio,
            )
            for each in candidate.by_template
        ),
    )
