"""Mail to partners, through the notification service."""

from __future__ import annotations

from idmesh.notification.v1 import notification_service_pb2 as pb
from idmesh.notification.v1 import notification_service_pb2_grpc

from services.common import instants, telemetry
from services.common.errors import InvalidArgument
from services.partner.domain.partner import Held, Partner

TEMPLATE = "certificate-expiring"
_LOG = telemetry.get_logger(__name__)


class Notification:
    """See ports.Messages."""

    def __init__(self, stub: notification_service_pb2_grpc.NotificationServiceAsyncStub) -> None:
        self._stub = stub

    async def warn(self, partner: Partner, held: Held, days: int) -> None:
        """Say that a certificate ends; once for each certificate and number of days."""
        request = pb.SendMessageRequest(
            idempotency_key=f"certificate-{held.thumbprint.hex()}-{days}",
            channel=pb.CHANNEL_EMAIL,
            recipient=partner.contact_email,
            template=TEMPLATE,
            language="eng",
            parameters={
                "organisation": partner.organisation,
                "partner_id": partner.partner_id,
                "thumbprint": held.thumbprint.hex(),
                "until": held.usable_until.strftime("%Y-%m-%d %H:%M UTC"),
            },
            expires_at=instants.to_proto(held.usable_until),
        )
        try:
            await self._stub.SendMessage(request)
        except InvalidArgument as error:
            if error.field != "recipient":
                raise
            # What was registered is no address; trying again will not help.
            _LOG.warning("contact_not_usable", reason=error.reason, partner_id=partner.partner_id)
