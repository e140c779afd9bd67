"""Protos to domain and back."""

from __future__ import annotations

from idmesh.notification.v1 import notification_service_pb2 as pb

from services.common import instants
from services.notification.domain.message import Channel, State
from services.notification.usecases.accept_message import Order


def order_from_proto(request: pb.SendMessageRequest, caller: str) -> Order:
    """Return the order; idempotency keys of different callers never meet."""
    return Order(
        idempotency_key=f"{caller}:{request.idempotency_key}",
        channel=Channel(request.channel),
        recipient=request.recipient,
        template=request.template,
        language=request.language,
        parameters=dict(request.parameters),
        expires_at=instants.optional(request, "expires_at"),
    )


def counts_to_proto(counts: dict[State, int]) -> pb.GetMessageCountsResponse:
    """Return the counts as they are served."""
    return pb.GetMessageCountsResponse(
        queued=counts[State.QUEUED],
        sent=counts[State.SENT],
        failed=counts[State.FAILED],
        expired=counts[State.EXPIRED],
    )
