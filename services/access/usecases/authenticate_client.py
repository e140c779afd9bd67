"""Recognising a program: by its secret, or by an assertion that its key signed."""

from __future__ import annotations

from datetime import datetime

from services.access.domain import assertion as assertions
from services.access.domain.attempts import BackOff, locked_until
from services.access.domain.operator import Operator
from services.access.ports import Stores, Tokens
from services.common.clock import Clock
from services.common.errors import ResourceExhausted, Unauthenticated

ACTION = "TOKEN_ISSUED"


class AuthenticateClient:
    """Tells which client it is. A refusal's reason is in the audit log and nowhere else."""

    def __init__(
        self,
        stores: Stores,
        tokens: Tokens,
        clock: Clock,
        *,
        audiences: frozenset[str],
        back_off: BackOff,
    ) -> None:
        self._operators = stores.operators
        self._hashes = stores.hashes
        self._attempts = stores.attempts
        self._sources = stores.sources
        self._tokens = tokens
        self._clock = clock
        self._audiences = audiences
        self._back_off = back_off

    async def by_secret(self, client_id: str, secret: str, source: str) -> Operator:
        """Return the client whose secret this is.

        Raises:
            Unauthenticated: CLIENT_REFUSED: unknown, inactive or wrong secret, not told apart.
            ResourceExhausted: CLIENT_LOCKED or TOO_MANY_ATTEMPTS.
        """
        now = self._clock.now()
        await self._check_lock(client_id, source, now)
        client = await self._operators.get(client_id)
        kept = client.secret if client is not None else None
        if client is None or kept is None:
            # The same work as for a known client, so that time tells nothing.
            await self._hashes.newest(secret)
            raise await self._wrong(client_id, source, now, "CLIENT_UNKNOWN")
        offered = await self._hashes.at(secret, kept.version)
        if not kept.matches(offered):
            raise await self._wrong(client_id, source, now, "SECRET_WRONG")
        newest = await self._hashes.newest(secret)
        if newest.version != kept.version:
            # The secret is here only now: the chance to let go of the old key.
            await self._operators.keep_secret(client_id, kept, newest)
        return await self._active(client)

    async def by_assertion(self, text: str, client_id: str | None, source: str) -> Operator:
        """Return the client whose key signed an assertion (RFC 7523).

        Args:
            client_id: as the request names it beside the assertion, if it does.

        Raises:
            Unauthenticated: CLIENT_REFUSED, whatever was wrong.
            ResourceExhausted: CLIENT_LOCKED or TOO_MANY_ATTEMPTS.
        """
        now = self._clock.now()
        self._sources.check(source)
        try:
            parsed = assertions.parse(text, self._audiences, now)
        except Unauthenticated as error:
            raise await self._wrong("", source, now, error.reason) from None
        if client_id is not None and client_id != parsed.client_id:
            raise await self._wrong(parsed.client_id, source, now, "ASSERTION_OF_ANOTHER")
        await self._check_lock(parsed.client_id, source, now)
        client = await self._operators.get(parsed.client_id)
        if client is None or not parsed.is_signed_by(client.keys):
            reason = "CLIENT_UNKNOWN" if client is None else "ASSERTION_SIGNATURE_INVALID"
            raise await self._wrong(parsed.client_id, source, now, reason)
        until = parsed.expires_at + assertions.LEEWAY
        if not await self._tokens.spend_assertion(client.operator_id, parsed.assertion_id, until):
            raise await self._wrong(parsed.client_id, source, now, "ASSERTION_REPLAYED")
        return await self._active(client)

    async def _check_lock(self, client_id: str, source: str, now: datetime) -> None:
        self._sources.check(source)
        here, anywhere = await self._attempts.of(client_id, source)
        until = locked_until(here, anywhere, now, self._back_off)
        if until is not None:
            await self._attempts.refused(client_id, action=ACTION, reason="CLIENT_LOCKED")
            raise ResourceExhausted(
                "CLIENT_LOCKED",
                "Too many wrong secrets; wait.",
                retry_after_s=(until - now).total_seconds(),
            )

    async def _wrong(
        self, client_id: str, source: str, now: datetime, reason: str
    ) -> Unauthenticated:
        self._sources.failed(source)
        await self._attempts.failed(client_id, source, now, action=ACTION, reason=reason)
        return _refused()

    async def _active(self, client: Operator) -> Operator:
        if client.person or not client.active:
            reason = "CLIENT_IS_PERSON" if client.person else "OPERATOR_INACTIVE"
            await self._attempts.refused(client.operator_id, action=ACTION, reason=reason)
            raise _refused()
        return client


def _refused() -> Unauthenticated:
    return Unauthenticated("CLIENT_REFUSED", "The client or its secret is wrong.")
