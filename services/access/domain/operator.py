"""Operators: people and programs that administer the platform."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.access.domain.roles import ROLES

__all__ = ["ROLES", "Credentials", "Operator", "Secret"]


@dataclass(frozen=True)
class Secret:
    """A keyed hash of a random secret, and the version of the key."""

    version: int
    digest: bytes = field(repr=False)

    def matches(self, other: Secret) -> bool:
        """Tell whether both are of one secret under one version; constant time."""
        return self.version == other.version and hmac.compare_digest(self.digest, other.digest)


@dataclass(frozen=True)
class Operator:
    """An operator. A person logs in, a program (a client) has a secret or keys.

    generation grows whenever all tokens issued before are to be refused. keys are a client's
    public keys as JWK (JSON) by their thumbprint.
    """

    operator_id: str
    roles: tuple[str, ...]
    active: bool
    secret: Secret | None = None
    person: bool = False
    generation: int = 0
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Credentials:
    """What a person logs in with.

    password is Argon2id in PHC form; until change_by it must be changed, after it is worthless
    (None: it need not be). totp is the second factor's secret, sealed; last_step is the newest
    time step whose code was taken.
    """

    password: str = field(repr=False)
    change_by: datetime | None = None
    totp: str | None = field(default=None, repr=False)
    totp_confirmed: bool = False
    last_step: int = 0

    @property
    def has_second_factor(self) -> bool:
        """Whether a login needs a code."""
        return self.totp is not None and self.totp_confirmed
