"""Taking a message: once it is accepted, it is on disk, encrypted, and will be sent."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from services.common.clock import Clock
from services.common.errors import FailedPrecondition, InvalidArgument
from services.notification.domain.message import Channel, Queued
from services.notification.domain.template import Catalogue
from services.notification.ports import Messages, Sealer

MESSAGE_KEY = "core/transit/message"
# One plain address: what a header could take for two, a group or a comment is none.
_EMAIL = re.compile(r"[^\s@,;:<>()\[\]\"\\]+@[^\s@,;:<>()\[\]\"\\.]+(\.[^\s@,;:<>()\[\]\"\\.]+)*")
_PHONE = re.compile(r"\+?[0-9]+")


@dataclass(frozen=True)
class Order:
    """A message that somebody wants sent."""

    idempotency_key: str
    channel: Channel
    recipient: str = field(repr=False)
    template: str
    language: str
    parameters: Mapping[str, str] = field(repr=False)
    expires_at: datetime | None


class AcceptMessage:
    """Renders, encrypts and queues a message."""

    def __init__(
        self,
        messages: Messages,
        sealer: Sealer,
        catalogue: Catalogue,
        channels: Collection[Channel],
        clock: Clock,
    ) -> None:
        self._messages = messages
        self._sealer = sealer
        self._catalogue = catalogue
        self._channels = channels
        self._clock = clock

    async def __call__(self, order: Order) -> UUID:
        """Return the message's id; the same id for the same idempotency key.

        Raises:
            NotFound: TEMPLATE_NOT_FOUND.
            InvalidArgument: TEMPLATE_PARAMETER_MISSING, TEMPLATE_PARAMETER_UNKNOWN,
                RECIPIENT_MALFORMED.
            FailedPrecondition: CHANNEL_NOT_CONFIGURED.
        """
        if order.channel not in self._channels:
            raise FailedPrecondition(
                "CHANNEL_NOT_CONFIGURED", f"No {order.channel.name} sender is configured."
            )
        _check_recipient(order.channel, order.recipient)
        template = self._catalogue.get(order.template)
        text = template.render(order.recipient, order.language, order.parameters)
        [sealed] = await self._sealer.encrypt(MESSAGE_KEY, [json.dumps(asdict(text)).encode()])
        message = Queued(uuid4(), order.channel, sealed, self._clock.now(), order.expires_at)
        return await self._messages.add(order.idempotency_key, message)


def _check_recipient(channel: Channel, recipient: str) -> None:
    form = _EMAIL if channel is Channel.EMAIL else _PHONE
    if not (form.fullmatch(recipient) and recipient.isprintable()):
        raise InvalidArgument(
            "RECIPIENT_MALFORMED", f"Not an address for {channel.name}.", field="recipient"
        )
