"""OAuth 2.0 client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

from services.access.domain.operator import Operator
from services.access.domain.token import IssuedToken
from services.access.ports import AttemptLog
from services.access.usecases.sign_token import SignToken
from services.common.clock import Clock


class IssueToken:
    """Gives a client that is recognised a short-lived token."""

    def __init__(self, sign: SignToken, attempts: AttemptLog, clock: Clock) -> None:
        self._sign = sign
        self._attempts = attempts
        self._clock = clock

    async def __call__(self, client: Operator, scope: str, *, source: str, how: str) -> IssuedToken:
        """Return a token, good for `token_ttl_s`.

        Raises:
            InvalidArgument: SCOPE_REFUSED.
            Unavailable: no key can sign at present.
        """
        issued = await self._sign(client, scope, how=how)
        await self._attempts.succeeded(client.operator_id, source, self._clock.now())
        return issued
