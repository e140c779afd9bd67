"""Sessions of people: refresh tokens, each good once, and a thief found by the second use."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from services.access.domain.operator import Secret
from services.access.domain.roles import narrowed
from services.access.domain.token import IssuedToken
from services.access.ports import RefreshToken, Stores, Tokens
from services.access.usecases.sign_token import Rules, SignToken
from services.common.clock import Clock
from services.common.errors import InvalidArgument, Unauthenticated

_PREFIX = "r1"
_BYTES = 32
# Of a session that ends by reuse, and of one that is given up.
_REUSED = "REFRESH_TOKEN_REUSED"


@dataclass(frozen=True)
class SessionRules:
    """How long a refresh token waits to be used, and a session lasts at most, in seconds."""

    idle_s: float = 3_600.0
    longest_s: float = 43_200.0


class Sessions:
    """Begins, refreshes and ends sessions."""

    def __init__(
        self,
        stores: Stores,
        tokens: Tokens,
        sign: SignToken,
        clock: Clock,
        *,
        rules: Rules,
        session: SessionRules,
    ) -> None:
        self._operators = stores.operators
        self._hashes = stores.hashes
        self._attempts = stores.attempts
        self._tokens = tokens
        self._sign = sign
        self._clock = clock
        self._rules = rules
        self._session = session

    async def begin(self, operator_id: str, scope: str) -> str:
        """Return the first refresh token of a new session."""
        ends_at = self._clock.now() + timedelta(seconds=self._session.longest_s)
        return await self._next(operator_id, scope, uuid4(), ends_at)

    async def refresh(self, text: str, scope: str) -> IssuedToken:
        """Return a token, and the refresh token that replaces this one.

        The operator's roles are looked at anew. A token that was used before is in two hands:
        then all that its operator holds is revoked.

        Raises:
            Unauthenticated: REFRESH_REFUSED: unknown, expired, used, or its operator inactive.
            InvalidArgument: SCOPE_REFUSED.
        """
        now = self._clock.now()
        held = await self._spend(text)
        if held is None:
            raise await self._refused("", "REFRESH_TOKEN_UNKNOWN")
        if held.spent:
            end = now + self._rules.tokens_live
            await self._operators.end_sessions(held.operator_id, _REUSED, tokens_end_at=end)
            raise await self._refused(held.operator_id, _REUSED)
        if now >= min(held.expires_at, held.ends_at):
            raise await self._refused(held.operator_id, "REFRESH_TOKEN_EXPIRED")
        operator = await self._operators.get(held.operator_id)
        if operator is None or not operator.active:
            raise await self._refused(held.operator_id, "OPERATOR_INACTIVE")
        wanted = scope or held.scope
        if not set(wanted.split()) <= set(held.scope.split()):
            raise InvalidArgument("SCOPE_REFUSED", "The session was begun with fewer scopes.")
        left = set(narrowed(operator.roles, "")[1].split())
        kept = " ".join(sorted(left.intersection(wanted.split())))
        issued = await self._sign(operator, kept, how="refresh_token", methods=("pwd",))
        follower = await self._next(operator.operator_id, held.scope, held.session_id, held.ends_at)
        return IssuedToken(
            issued.token, issued.token_id, issued.scope, issued.expires_in_s, follower
        )

    async def end(self, text: str) -> bool:
        """End the session of a refresh token; false if it is none."""
        held = await self._spend(text)
        if held is not None:
            await self._tokens.end_session(held.session_id)
        return held is not None

    async def _spend(self, text: str) -> RefreshToken | None:
        offered = await self._hashed(text)
        return await self._tokens.use_refresh(offered) if offered is not None else None

    async def _hashed(self, text: str) -> Secret | None:
        # The version of the key stands in the token: it is found after the key was rotated.
        parts = text.split(".")
        if len(parts) != 3 or parts[0] != _PREFIX or not parts[1].isascii():
            return None
        if not parts[1].isdigit() or len(parts[1]) > 6:
            return None
        try:
            return await self._hashes.at(parts[2], int(parts[1]))
        except InvalidArgument:
            # A version that was retired, or never was.
            return None

    async def _next(self, operator_id: str, scope: str, session_id: UUID, ends_at: datetime) -> str:
        secret = secrets.token_urlsafe(_BYTES)
        kept = await self._hashes.newest(secret)
        expires_at = self._clock.now() + timedelta(seconds=self._session.idle_s)
        token = RefreshToken(kept, session_id, operator_id, scope, False, expires_at, ends_at)
        await self._tokens.add_refresh(token)
        return f"{_PREFIX}.{kept.version}.{secret}"

    async def _refused(self, operator_id: str, reason: str) -> Unauthenticated:
        await self._attempts.refused(operator_id, action="TOKEN_ISSUED", reason=reason)
        return Unauthenticated("REFRESH_REFUSED", "The refresh token is not good.")
