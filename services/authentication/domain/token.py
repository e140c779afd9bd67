"""PSUT: a partner's own name for an individual, 36 decimal digits, never accepted as a claim."""

import secrets

from services.authentication.domain.partner import VerifiedPartner
from services.authentication.domain.policy import AuthPolicy, TokenType

TOKEN_DIGITS = 36


def draw_token() -> str:
    """Return 36 random digits."""
    return f"{secrets.randbelow(10**TOKEN_DIGITS):0{TOKEN_DIGITS}d}"


def scope_of(policy: AuthPolicy, partner: VerifiedPartner) -> str | None:
    """Return for whom a token stays the same; None: a new one with every answer."""
    if policy.token_type is TokenType.PARTNER:
        return f"partner:{partner.partner_id}"
    if policy.token_type is TokenType.POLICY:
        return f"policy:{partner.policy_id}"
    return None
