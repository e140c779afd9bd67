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
from services.common import rpc

# Left for sending the answer.
_ANSWER_S = 0.1


class AbisServicer(abis_service_pb2_grpc.AbisServiceServicer):
    """Serves the reference database to processing."""

    def __init__(
        self,
        insert: Insert[Any],
        identify: Identify[Any],
        delete: Delete,
        count: Callable[[], Awaitable[tuple[int, int]]],
        handle_message: HandleMessage,
    ) -> None:
        self._insert = insert
        self._identify = identify
        self._delete = delete
        self._count = count
        self._handle_message = handle_message

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
        left_s = rpc.current_call().remaining_s()
        deadline_s = None if left_s is None else max(left_s - _ANSWER_S, 0.01)
        candidates, searched = await self._identify(convert.search_from_proto(request, deadline_s))
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
