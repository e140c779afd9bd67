"""Operators' access tokens: what makes one good, and the state that a service judges them by.

Every service judges the tokens itself, whatever the edge let through: by keys, issuers and
revocations that it keeps in memory and that access keeps fresh. Nothing is asked per request.
"""

from services.common.tokens.trust import STALE_S, TokenTrust, source
from services.common.tokens.verify import Issuer, Operator, Trust, verify

__all__ = ["STALE_S", "Issuer", "Operator", "TokenTrust", "Trust", "source", "verify"]
