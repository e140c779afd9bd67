"""AbisService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import grpc.aio
from idmesh.abis.v1 import abis_service_pb2 as pb
from idmesh.abis.v1 import abis_service_pb2_grpc

from services.abis import convert
from services.abis.usecases.delete import Delete
from services.abis.usecases.handle_message import HandleMessage
from services.abis.usecases.identify import Identify
from services.abis.usecases.insert import Insert
from services.abis.usecases.partitions import OwnPartition
from services.common import rpc
from services.common.errors import InvalidArgument

# Left for sending the answer.
_ANSWER_S = 0.1


class AbisServicer(abis_service_pb2_grpc.AbisServiceServicer):
    """Serves the reference database to processing."""

    def __init__(
        self,
        *,
        insert: Insert[Any],
        identify: Identify[Any],
        delete: Delete,
        count: Callable[[], Awaitable[tuple[int, int]]],
        handle_message: HandleMessage,
        partition: OwnPartition,
    ) -> None:
        self._insert = insert
        self._identify = identify
        self._delete = delete
        self._count = count
        self._handle_message = handle_message
        self._partition = partition

    async def Insert(
        self,
        request: pb.InsertRequest,
        context: grpc.aio.ServicerContext[pb.InsertRequest, pb.InsertResponse],
    ) -> pb.InsertResponse:
        """Keep a person's templates."""
        position = await self._insert(
            UUID(bytes=request.reference_id), convert.templates_from_proto(request.templates)
        )
        return pb.InsertResponse(position=convert.position_to_proto(position))

    async def Identify(
        self,
        request: pb.IdentifyRequest,
        context: grpc.aio.ServicerContext[pb.IdentifyRequest, pb.IdentifyResponse],
    ) -> pb.IdentifyResponse:
        """Search the references."""
        search = convert.search_from_proto(request, _deadline_s())
        candidates, searched = await self._identify(search)
        return pb.IdentifyResponse(
            candidates=map(convert.candidate_to_proto, candidates), searched=searched
        )

    async def Delete(
        self,
        request: pb.DeleteRequest,
        context: grpc.aio.ServicerContext[pb.DeleteRequest, pb.DeleteResponse],
    ) -> pb.DeleteResponse:
        """Forget a reference."""
        return pb.DeleteResponse(deleted=await self._delete(UUID(bytes=request.reference_id)))

    async def CountReferences(
        self,
        request: pb.CountReferencesRequest,
        context: grpc.aio.ServicerContext[pb.CountReferencesRequest, pb.CountReferencesResponse],
    ) -> pb.CountReferencesResponse:
        """Count the references, and those not yet in memory."""
        references, pending = await self._count()
        return pb.CountReferencesResponse(references=references, pending=pending)

    async def HandleMessage(
        self,
        request: pb.HandleMessageRequest,
        context: grpc.aio.ServicerContext[pb.HandleMessageRequest, pb.HandleMessageResponse],
    ) -> pb.HandleMessageResponse:
        """Answer one of MOSIP's messages."""
        left_s = rpc.current_call().remaining_s()
        answer = await self._handle_message(request.message, limit_s=left_s)
        return pb.HandleMessageResponse(message=answer.body)

    async def SearchPartition(
        self,
        request: pb.SearchPartitionRequest,
        context: grpc.aio.ServicerContext[pb.SearchPartitionRequest, pb.SearchPartitionResponse],
    ) -> pb.SearchPartitionResponse:
        """Search what this process holds."""
        self._partition.check(convert.share_from_proto(request.partition))
        if not request.search.HasField("probe"):
            raise InvalidArgument(
                "PROBE_MISSING", "A partition is searched for templates.", field="search.subject"
            )
        found = await self._partition.search(
            convert.search_from_proto(request.search, _deadline_s())
        )
        return convert.partition_found_to_proto(found)

    async def GetPartition(
        self,
        request: pb.GetPartitionRequest,
        context: grpc.aio.ServicerContext[pb.GetPartitionRequest, pb.GetPartitionResponse],
    ) -> pb.GetPartitionResponse:
        """Say what this process holds."""
        self._partition.check(convert.share_from_proto(request.partition))
        return convert.partition_state_to_proto(await self._partition.state(timeout_s=0.0))


def _deadline_s() -> float | None:
    left_s = rpc.current_call().remaining_s()
    return None if left_s is None else max(left_s - _ANSWER_S, 0.01)
