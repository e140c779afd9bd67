"""The search engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from idmesh.abis.v1 import abis_service_pb2 as pb
from idmesh.abis.v1 import abis_service_pb2_grpc
from idmesh.biometrics.v1 import biometrics_pb2

from services.processing import convert
from services.processing.domain.packet import Template
from services.processing.domain.registration import GalleryPosition
from services.processing.ports import Found

_MOST_CANDIDATES = 100
_MOST_AMONG = 1000
_IDENTIFY_S = 30.0


class AbisClient:
    """See ports.Abis."""

    def __init__(self, stub: abis_service_pb2_grpc.AbisServiceAsyncStub) -> None:
        self._stub = stub

    async def insert(self, reference_id: UUID, templates: Sequence[Template]) -> GalleryPosition:
        """Keep templates; idempotent."""
        answer = await self._stub.Insert(
            pb.InsertRequest(
                reference_id=reference_id.bytes,
                templates=map(convert.template_to_proto, templates),
            )
        )
        return convert.position_from_proto(answer.position)

    async def identify(
        self,
        subject: UUID | Sequence[Template],
        *,
        among: Collection[UUID] = (),
        applied_up_to: GalleryPosition | None = None,
    ) -> list[Found]:
        """Search for similar references: all, or only among some."""
        only = sorted(each.bytes for each in among)
        # More than one request takes are asked about in several; none at all means all.
        parts = [only[at : at + _MOST_AMONG] for at in range(0, max(len(only), 1), _MOST_AMONG)]
        found = [
            each for part in parts for each in await self._identify(subject, part, applied_up_to)
        ]
        # As one answer would be: best first, equal ones by reference id. What is shown of high
        # scores is the same.
        found.sort(key=lambda each: (-each.score, -each.similarity, each.reference_id))
        return [
            Found(
                UUID(bytes=each.reference_id),
                each.similarity,
                convert.similarities_from_proto(each.by_template),
            )
            for each in found[:_MOST_CANDIDATES]
        ]

    async def _identify(
        self,
        subject: UUID | Sequence[Template],
        among: Sequence[bytes],
        applied_up_to: GalleryPosition | None,
    ) -> Sequence[biometrics_pb2.Candidate]:
        request = pb.IdentifyRequest(max_candidates=_MOST_CANDIDATES, among=among)
        if isinstance(subject, UUID):
            request.reference_id = subject.bytes
        else:
            request.probe.CopyFrom(
                biometrics_pb2.Probe(templates=map(convert.template_to_proto, subject))
            )
        if applied_up_to is not None:
            request.applied_up_to.CopyFrom(convert.position_to_proto(applied_up_to))
        answer = await self._stub.Identify(request, timeout=_IDENTIFY_S)
        return answer.candidates

    async def delete(self, reference_id: UUID) -> None:
        """Forget a reference; idempotent."""
        await self._stub.Delete(pb.DeleteRequest(reference_id=reference_id.bytes))
