"""AbisService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import grpc.aio
from idmesh.abis.v1 import abis_service_pb2 as pb
from idmesh.abis.v1 import abis_service_pb2_grpc

from services.abis import convert
from services.abis.usecases.bulk_load import BulkLoad, Item
from services.abis.usecases.delete import Delete
from services.abis.usecases.handle_message import HandleMessage
from services.abis.usecases.identify import Identify
from services.abis.usecases.insert import Insert
from services.abis.usecases.partitions import OwnPartition
from services.abis.usecases.status import Status
from services.abis.usecases.verify import Verify
from services.common import rpc
from services.common.errors import InvalidArgument

# Left for sending the answer.
_ANSWER_S = 0.1


@dataclass(frozen=True)
class UseCases:
    """What the servicer delegates to."""

    insert: Insert[Any]
    identify: Identify[Any]
    verify: Verify[Any]
    delete: Delete
    bulk_load: BulkLoad[Any]
    count: Callable[[], Awaitable[tuple[int, int]]]
    status: Status
    handle_message: HandleMessage
    partition: OwnPartition


class AbisServicer(abis_service_pb2_grpc.AbisServiceServicer):
    """Serves the reference database to processing."""

    def __init__(self, usecases: UseCases) -> None:
        self._do = usecases

    async def Insert(
        self,
        request: pb.InsertRequest,
        context: grpc.aio.ServicerContext[pb.InsertRequest, pb.InsertResponse],
    ) -> pb.InsertResponse:
        """Keep a person's templates."""
        position = await self._do.insert(
            UUID(bytes=request.reference_id),
            convert.templates_from_proto(request.templates),
            request_id=convert.request_id_from_proto(request.request_id),
        )
        return pb.InsertResponse(position=convert.position_to_proto(position))

    async def Identify(
        self,
        request: pb.IdentifyRequest,
        context: grpc.aio.ServicerContext[pb.IdentifyRequest, pb.IdentifyResponse],
    ) -> pb.IdentifyResponse:
        """Search the references."""
        return convert.answer_to_proto(
            await self._do.identify(convert.search_from_proto(request, _deadline_s()))
        )

    async def Verify(
        self,
        request: pb.VerifyRequest,
        context: grpc.aio.ServicerContext[pb.VerifyRequest, pb.VerifyResponse],
    ) -> pb.VerifyResponse:
        """Compare with one reference."""
        compared, least = await self._do.verify(
            UUID(bytes=request.reference_id),
            convert.templates_from_proto(request.probe.templates),
            target_fmr=request.target_fmr if request.HasField("target_fmr") else None,
        )
        return pb.VerifyResponse(comparison=convert.candidate_to_proto(compared), match_score=least)

    async def Delete(
        self,
        request: pb.DeleteRequest,
        context: grpc.aio.ServicerContext[pb.DeleteRequest, pb.DeleteResponse],
    ) -> pb.DeleteResponse:
        """Forget a reference."""
        position = await self._do.delete(
            UUID(bytes=request.reference_id),
            request_id=convert.request_id_from_proto(request.request_id),
        )
        if position is None:
            return pb.DeleteResponse(deleted=False)
        return pb.DeleteResponse(deleted=True, position=convert.position_to_proto(position))

    async def BulkLoad(
        self,
        requests: AsyncIterator[pb.BulkLoadRequest],
        context: grpc.aio.ServicerContext[pb.BulkLoadRequest, pb.BulkLoadResponse],
    ) -> AsyncIterator[pb.BulkLoadResponse]:
        """Keep many references, saying how far they are durable."""
        first = await anext(requests, None)
        if first is None or not first.load_id:
            raise InvalidArgument("LOAD_UNNAMED", "The first message names the load.", field="part")
        async with aclosing(
            self._do.bulk_load(UUID(bytes=first.load_id), _items(requests))
        ) as answers:
            async for progress in answers:
                yield convert.progress_to_proto(progress)

    async def Ping(
        self,
        request: pb.PingRequest,
        context: grpc.aio.ServicerContext[pb.PingRequest, pb.PingResponse],
    ) -> pb.PingResponse:
        """Say that the service answers, and what the gallery is."""
        applied = self._do.status.applied()
        memory = await asyncio.to_thread(self._do.status.memory)
        return pb.PingResponse(
            searching=applied is not None,
            applied_up_to=None if applied is None else convert.position_to_proto(applied),
            memory=convert.memory_to_proto(memory),
        )

    async def ListPendingJobs(
        self,
        request: pb.ListPendingJobsRequest,
        context: grpc.aio.ServicerContext[pb.ListPendingJobsRequest, pb.ListPendingJobsResponse],
    ) -> pb.ListPendingJobsResponse:
        """Count what has been asked for and is not done."""
        jobs = await self._do.status.pending()
        return pb.ListPendingJobsResponse(
            searches=jobs.searches, changes=jobs.changes, loads=jobs.loads, jobs=jobs.all
        )

    async def CountReferences(
        self,
        request: pb.CountReferencesRequest,
        context: grpc.aio.ServicerContext[pb.CountReferencesRequest, pb.CountReferencesResponse],
    ) -> pb.CountReferencesResponse:
        """Count the references, and those not yet in memory."""
        references, pending = await self._do.count()
        return pb.CountReferencesResponse(references=references, pending=pending)

    async def HandleMessage(
        self,
        request: pb.HandleMessageRequest,
        context: grpc.aio.ServicerContext[pb.HandleMessageRequest, pb.HandleMessageResponse],
    ) -> pb.HandleMessageResponse:
        """Answer one of MOSIP's messages."""
        left_s = rpc.current_call().remaining_s()
        answer = await self._do.handle_message(request.message, limit_s=left_s)
        return pb.HandleMessageResponse(message=answer.body)

    async def SearchPartition(
        self,
        request: pb.SearchPartitionRequest,
        context: grpc.aio.ServicerContext[pb.SearchPartitionRequest, pb.SearchPartitionResponse],
    ) -> pb.SearchPartitionResponse:
        """Search what this process holds."""
        self._do.partition.check(convert.share_from_proto(request.partition))
        if not request.search.HasField("probe"):
            raise InvalidArgument(
                "PROBE_MISSING", "A partition is searched for templates.", field="search.subject"
            )
        found = await self._do.partition.search(
            convert.search_from_proto(request.search, _deadline_s())
        )
        return convert.partition_found_to_proto(found)

    async def GetPartition(
        self,
        request: pb.GetPartitionRequest,
        context: grpc.aio.ServicerContext[pb.GetPartitionRequest, pb.GetPartitionResponse],
    ) -> pb.GetPartitionResponse:
        """Say what this process holds."""
        self._do.partition.check(convert.share_from_proto(request.partition))
        return convert.partition_state_to_proto(await self._do.partition.state(timeout_s=0.0))


def _deadline_s() -> float | None:
    left_s = rpc.current_call().remaining_s()
    return None if left_s is None else max(left_s - _ANSWER_S, 0.01)


async def _items(requests: AsyncIterator[pb.BulkLoadRequest]) -> AsyncIterator[Item]:
    async for request in requests:
        if request.load_id:
            raise InvalidArgument("LOAD_NAMED_AGAIN", "A call is one load.", field="load_id")
        yield convert.item_from_proto(request.item)
