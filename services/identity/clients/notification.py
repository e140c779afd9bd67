"""Messages to individuals, through the notification service."""

from __future__ import annotations

from idmesh.notification.v1 import notification_service_pb2 as pb
from idmesh.notification.v1 import notification_service_pb2_grpc

from services.common import telemetry
from services.common.errors import InvalidArgument
from services.identity.domain.record import Contact

TEMPLATE = "uin-issued"

_LOG = telemetry.get_logger(__name__)


class Notification:
    """See ports.Messages.

    Args:
        sms: whether individuals without an e-mail address get a text message.
    """

    def __init__(
        self, stub: notification_service_pb2_grpc.NotificationServiceAsyncStub, *, sms: bool
    ) -> None:
        self._stub = stub
        self._sms = sms

    async def send_uin(self, registration_id: str, contact: Contact, *, uin: str, vid: str) -> bool:
        """Hand over the message of a new UIN, once per registration."""
        if contact.email:
            channel, recipient = pb.CHANNEL_EMAIL, contact.email
        elif contact.phone and self._sms:
            channel, recipient = pb.CHANNEL_SMS, contact.phone
        else:
            return False
        request = pb.SendMessageRequest(
            idempotency_key=f"uin-issued-{registration_id}",
            channel=channel,
            recipient=recipient,
            template=TEMPLATE,
            language=contact.language,
            parameters={"name": contact.name, "uin": uin, "vid": vid},
        )
        try:
            await self._stub.SendMessage(request)
        except InvalidArgument as error:
            if error.field != "recipient":
                raise
            # What the packet says of their address is no address; trying again will not help.
            _LOG.warning("contact_not_usable", reason=error.reason)
            return False
        return True
