"""What verifiers are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrustState:
    """All of it at one moment. revision grows whenever anything else in it differs.

    foreign_jwks is by the names of the issuers in the configuration.
    """

    revision: int
    jwks: str
    foreign_jwks: Mapping[str, str] = field(default_factory=dict)
    revoked_tokens: frozenset[str] = frozenset()
    least_generations: Mapping[str, int] = field(default_factory=dict)

    def says(self) -> tuple[object, ...]:
        """Return all but the revision."""
        return self.jwks, self.foreign_jwks, self.revoked_tokens, self.least_generations
