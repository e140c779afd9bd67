"""Making an access token for an operator who is known by now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from services.access.domain.operator import Operator
from services.access.domain.roles import narrowed
from services.access.domain.token import Claims, IssuedToken, assemble, signing_input
from services.access.ports import Tokens, TokenSigner
from services.common.clock import Clock


@dataclass(frozen=True)
class Rules:
    """How tokens are made. public_url is where clients find our endpoints."""

    issuer: str
    audience: str
    token_ttl_s: int
    public_url: str = ""

    @property
    def tokens_live(self) -> timedelta:
        """How long a token can be taken anywhere: its life and what clocks differ."""
        return timedelta(seconds=self.token_ttl_s + 60)


class SignToken:
    """Signs what an operator's roles allow."""

    def __init__(self, signer: TokenSigner, tokens: Tokens, clock: Clock, rules: Rules) -> None:
        self._signer = signer
        self._tokens = tokens
        self._clock = clock
        self._rules = rules

    async def __call__(
        self, operator: Operator, scope: str, *, how: str, methods: tuple[str, ...] = ()
    ) -> IssuedToken:
        """Return a token, good for `token_ttl_s`.

        Raises:
            InvalidArgument: SCOPE_REFUSED.
            Unavailable: no key can sign at present.
        """
        roles, granted = narrowed(operator.roles, scope)
        now, rules = self._clock.now(), self._rules
        claims = Claims(
            issuer=rules.issuer,
            audience=rules.audience,
            operator_id=operator.operator_id,
            roles=roles,
            scope=granted,
            generation=operator.generation,
            token_id=str(uuid4()),
            issued_at=now,
            expires_at=now + timedelta(seconds=rules.token_ttl_s),
            methods=methods,
        )
        kid = await self._signer.kid()
        signed = signing_input(claims, kid)
        token = assemble(signed, await self._signer.sign(signed, kid))
        await self._tokens.issued(operator.operator_id, claims.token_id, how)
        return IssuedToken(token, claims.token_id, granted, rules.token_ttl_s)
