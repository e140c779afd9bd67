"""Sending what is queued, for ever."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import timedelta

from services.common import telemetry
from services.common.clock import Clock
from services.common.errors import PlatformError
from services.notification.domain.message import (
    DeliveryDelayed,
    DeliveryRefused,
    Queued,
    State,
    Text,
    retry_at,
)
from services.notification.ports import Messages, Sealer, Senders
from services.notification.usecases.accept_message import MESSAGE_KEY

IDLE_S = 0.5
OUTAGE_S = 2.0
LEASE_S = 60.0
log = telemetry.get_logger(__name__)


class DeliverMessages:
    """Delivers at least once: a sender that dies after handing over sends again.

    Args:
        loops: how many times run runs.
        give_up_after_s: a message that cannot be delivered for so long has failed.
    """

    def __init__(
        self,
        messages: Messages,
        sealer: Sealer,
        senders: Senders,
        clock: Clock,
        *,
        give_up_after_s: float,
        loops: int = 1,
    ) -> None:
        self._messages = messages
        self._sealer = sealer
        self._senders = senders
        self._clock = clock
        self._give_up_after = timedelta(seconds=give_up_after_s)
        # Together the loops look at the queue this often unasked.
        self._poll_s = IDLE_S * loops
        self._accepted = asyncio.Semaphore(0)

    def wake(self) -> None:
        """Let one loop look at the queue now: a message was just accepted."""
        self._accepted.release()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            try:
                # Of what was not told here, or failed before, there may be more.
                while await self.deliver_one():
                    continue
                while await self._told():
                    await self.deliver_one()
            except PlatformError as error:
                log.warning("delivery_paused", reason=error.reason)
                await asyncio.sleep(OUTAGE_S)

    async def _told(self) -> bool:
        """Wait for an accepted message; return False when it is time to look unasked."""
        try:
            async with asyncio.timeout(self._poll_s):
                return await self._accepted.acquire()
        except TimeoutError:
            return False

    async def deliver_one(self) -> bool:
        """Try the message that is due longest; return False when none is due."""
        now = self._clock.now()
        message = await self._messages.claim(now, now + timedelta(seconds=LEASE_S))
        if message is None:
            return False
        if message.expires_at is not None and message.expires_at <= now:
            await self._messages.finish(message.message_id, State.EXPIRED, "EXPIRED")
            return True
        await self._attempt(message)
        return True

    async def _attempt(self, message: Queued) -> None:
        sender = self._senders.get(message.channel)
        if sender is None:
            # It was configured when the message was accepted.
            await self._delay(message, "CHANNEL_NOT_CONFIGURED")
            return
        [plain] = await self._sealer.decrypt(MESSAGE_KEY, [message.sealed])
        try:
            await sender.send(message.message_id, Text(**json.loads(plain)))
        except DeliveryRefused as refusal:
            log.warning("message_refused", message_id=str(message.message_id), cause=str(refusal))
            await self._messages.finish(message.message_id, State.FAILED, "RECIPIENT_REFUSED")
        except DeliveryDelayed as delay:
            await self._delay(message, str(delay))
        except Exception as error:
            # A message that trips over a bug must not stop the others, nor the process.
            log.error("sender_raised", **telemetry.describe(error))
            await self._delay(message, type(error).__name__)
        else:
            await self._messages.finish(message.message_id, State.SENT, "")

    async def _delay(self, message: Queued, cause: str) -> None:
        now = self._clock.now()
        log.warning("message_delayed", message_id=str(message.message_id), cause=cause)
        if now - message.accepted_at > self._give_up_after:
            await self._messages.finish(message.message_id, State.FAILED, "GAVE_UP")
            return
        next_attempt_at = retry_at(now, message.attempts, random.random())  # noqa: S311
        await self._messages.postpone(message.message_id, next_attempt_at)
