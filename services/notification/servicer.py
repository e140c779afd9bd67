"""NotificationService."""

from __future__ import annotations

from collections.abc import Callable

import grpc.aio
from idmesh.notification.v1 import notification_service_pb2 as pb
from idmesh.notification.v1 import notification_service_pb2_grpc

from services.common import rpc
from services.notification import convert
from services.notification.ports import Messages
from services.notification.usecases.accept_message import AcceptMessage


class NotificationServicer(notification_service_pb2_grpc.NotificationServiceServicer):
    """Takes messages; they are sent afterwards."""

    def __init__(self, accept: AcceptMessage, messages: Messages, wake: Callable[[], None]) -> None:
        self._accept = accept
        self._messages = messages
        self._wake = wake

    async def SendMessage(
        self,
        request: pb.SendMessageRequest,
        context: grpc.aio.ServicerContext[pb.SendMessageRequest, pb.SendMessageResponse],
    ) -> pb.SendMessageResponse:
        """Queue a message."""
        order = convert.order_from_proto(request, rpc.current_call().caller)
        message_id = await self._accept(order)
        self._wake()
        return pb.SendMessageResponse(message_id=str(message_id))

    async def GetMessageCounts(
        self,
        request: pb.GetMessageCountsRequest,
        context: grpc.aio.ServicerContext[pb.GetMessageCountsRequest, pb.GetMessageCountsResponse],
    ) -> pb.GetMessageCountsResponse:
        """Count messages by state."""
        return convert.counts_to_proto(await self._messages.counts())
