"""Operators: people and programs that administer the platform."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime

# What an operator may be allowed; the services name the role that they ask for.
ROLES = frozenset(
    {
        "ADJUDICATOR",
        "AUDITOR",
        "IDENTITY_ADMIN",
        "MASTERDATA_ADMIN",
        "PARTNER_ADMIN",
        "PRIVACY_OFFICER",
    }
)


@dataclass(frozen=True)
class Secret:
    """A keyed hash of an operator's secret, and the version of the key."""

    version: int
    digest: bytes = field(repr=False)


@dataclass(frozen=True)
class Operator:
    """An operator. `wrong_secrets` counts those since the last right one."""

    operator_id: str
    roles: tuple[str, ...]
    active: bool
    secret: Secret
    wrong_secrets: int = 0
    locked_until: datetime | None = None

    def is_locked(self, now: datetime) -> bool:
        """Tell whether secrets are refused unseen at present."""
        return self.locked_until is not None and now < self.locked_until

    def knows(self, digest: bytes) -> bool:
        """Tell whether a secret with this keyed hash is the operator's; constant time."""
        return hmac.compare_digest(self.secret.digest, digest)
