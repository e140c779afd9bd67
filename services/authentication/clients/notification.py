"""Messages to people, by the notification service."""

from __future__ import annotations

import math

from idmesh.notification.v1 import notification_service_pb2, notification_service_pb2_grpc

from services.authentication import convert
from services.authentication.ports import Channel, Notifier, OtpMessage

_CHANNELS = {
    Channel.EMAIL: notification_service_pb2.CHANNEL_EMAIL,
    Channel.SMS: notification_service_pb2.CHANNEL_SMS,
}


class NotificationClient(Notifier):
    """Hands OTPs over; sending one again with the same key sends it once."""

    def __init__(
        self, stub: notification_service_pb2_grpc.NotificationServiceAsyncStub, timeout_s: float
    ) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def send_otp(self, message: OtpMessage) -> None:
        """Hand a message over; it is on disk when this returns."""
        await self._stub.SendMessage(
            notification_service_pb2.SendMessageRequest(
                idempotency_key=message.idempotency_key,
                channel=_CHANNELS[message.channel],
                recipient=message.recipient,
                template="otp",
                language=message.language,
                parameters={
                    "otp": message.otp,
                    "partner": message.partner_name,
                    "valid_for_minutes": str(math.ceil(message.ttl_s / 60)),
                },
                expires_at=convert.stamp(message.expires_at),
            ),
            timeout=self._timeout_s,
        )
