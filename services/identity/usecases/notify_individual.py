"""The individual learns their UIN and VID."""

from __future__ import annotations

import asyncio

from services.common.clock import Clock
from services.common.errors import FailedPrecondition, NotFound
from services.identity.domain.record import ContactFields, contact_of
from services.identity.domain.vid import VidType
from services.identity.ports import Keys, Messages, Store

_MOST_VIDS = 200


class NotifyIndividual:
    """Sends the message of a new UIN, once."""

    def __init__(
        self, store: Store, keys: Keys, messages: Messages, clock: Clock, fields: ContactFields
    ) -> None:
        self._store = store
        self._keys = keys
        self._messages = messages
        self._clock = clock
        self._fields = fields

    async def __call__(self, registration_id: str) -> bool:
        """Return whether a message was accepted for sending, now or by an earlier call.

        Raises:
            NotFound: IDENTITY_NOT_FOUND.
            FailedPrecondition: IDENTITY_NOT_PUBLISHED.
        """
        async with self._store.transaction() as tx:
            identity = await tx.identity_of_registration(registration_id)
            if identity is None:
                raise NotFound("IDENTITY_NOT_FOUND", "The registration led to no identity.")
            if identity.published_at is None:
                raise FailedPrecondition("IDENTITY_NOT_PUBLISHED", "It is a draft still.")
            if identity.notified_at is not None:
                return True
            vids = await tx.vids_of(identity.identity_id, limit=_MOST_VIDS)
        now = self._clock.now()
        usable = (v for v in vids if v.type is VidType.PERPETUAL and v.is_usable(now))
        perpetual = next(usable, None)
        sealed = [identity.sealed_uin, *([perpetual.sealed] if perpetual else [])]
        record, numbers = await asyncio.gather(
            self._keys.open_record(identity.sealed_record, identity.identity_id, identity.version),
            self._keys.open_texts(sealed),
        )
        contact = contact_of(record, self._fields)
        vid = numbers[1] if perpetual else ""
        sent = await self._messages.send_uin(registration_id, contact, uin=numbers[0], vid=vid)
        async with self._store.transaction() as tx:
            if sent:
                await tx.mark_notified(identity.identity_id, now)
            await tx.audit(
                "INDIVIDUAL_NOTIFIED",
                "identity",
                identity.identity_id.bytes,
                details={"sent": "true" if sent else "false"},
            )
        return sent
