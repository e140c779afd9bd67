"""OAuth 2.0 client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from services.access.domain.token import Claims, assemble, signing_input
from services.access.ports import Operators, SecretHashes, TokenSigner
from services.common.clock import Clock
from services.common.errors import ResourceExhausted, Unauthenticated


@dataclass(frozen=True)
class Rules:
    """How tokens are made and secrets guessed at."""

    issuer: str
    audience: str
    token_ttl_s: int
    wrong_secrets_allowed: int
    locked_for_s: float


class IssueToken:
    """Exchanges an operator's secret for a short-lived token."""

    def __init__(
        self,
        operators: Operators,
        hashes: SecretHashes,
        signer: TokenSigner,
        clock: Clock,
        rules: Rules,
    ) -> None:
        self._operators = operators
        self._hashes = hashes
        self._signer = signer
        self._clock = clock
        self._rules = rules

    async def __call__(self, operator_id: str, secret: str) -> str:
        """Return a token, good for `token_ttl_s`.

        Raises:
            Unauthenticated: CLIENT_REFUSED: unknown, inactive or wrong secret, not told apart.
            ResourceExhausted: CLIENT_LOCKED, too many wrong secrets.
        """
        now = self._clock.now()
        operator = await self._operators.get(operator_id)
        if operator is None:
            # The same work as for a known operator, so that time tells nothing.
            await self._hashes.newest(secret)
            raise _refused()
        if operator.is_locked(now):
            assert operator.locked_until is not None
            wait_s = (operator.locked_until - now).total_seconds()
            raise ResourceExhausted(
                "CLIENT_LOCKED", "Too many wrong secrets; wait.", retry_after_s=wait_s
            )
        newest = await self._hashes.newest(secret)
        offered = newest
        if newest.version != operator.secret.version:
            offered = await self._hashes.at(secret, operator.secret.version)
        if not operator.knows(offered.digest):
            await self._operators.count_wrong_secret(
                operator_id,
                allowed=self._rules.wrong_secrets_allowed,
                locked_until=now + timedelta(seconds=self._rules.locked_for_s),
            )
            raise _refused()
        if not operator.active:
            await self._operators.token_refused(operator_id, "OPERATOR_INACTIVE")
            raise _refused()
        if newest.version > operator.secret.version:
            # Only here is the secret in clear: from now on it is kept under the newest version.
            await self._operators.renew_secret(operator_id, operator.secret, newest)
        return await self._sign(operator_id, operator.roles)

    async def _sign(self, operator_id: str, roles: tuple[str, ...]) -> str:
        now, rules = self._clock.now(), self._rules
        claims = Claims(
            issuer=rules.issuer,
            audience=rules.audience,
            operator_id=operator_id,
            roles=roles,
            token_id=str(uuid4()),
            issued_at=now,
            expires_at=now + timedelta(seconds=rules.token_ttl_s),
        )
        kid = await self._signer.kid()
        signed = signing_input(claims, kid)
        token = assemble(signed, await self._signer.sign(signed, kid))
        await self._operators.token_issued(operator_id, claims.token_id)
        return token


def _refused() -> Unauthenticated:
    return Unauthenticated("CLIENT_REFUSED", "The client or its secret is wrong.")
