"""An identity as it is stored: nothing of the individual can be read from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID


class IdentityState(Enum):
    """Whether an identity can be used. A draft has a UIN that nobody knows yet."""

    DRAFT = "DRAFT"
    ACTIVATED = "ACTIVATED"
    DEACTIVATED = "DEACTIVATED"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class LookupKey:
    """The keyed hash that a number is found by, and the version of the key."""

    version: int
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedNumber:
    """A UIN at rest: what it is found by, and its ciphertext.

    older: what it would be found by under older versions of the key that are not retired.
    """

    lookup: LookupKey
    sealed: str = field(repr=False)
    older: tuple[LookupKey, ...] = ()

    @property
    def lookups(self) -> tuple[LookupKey, ...]:
        """All hashes that this number may be stored under, the newest version first."""
        return (self.lookup, *self.older)


@dataclass(frozen=True, slots=True)
class Identity:
    """A row.

    Attributes:
        identity_id: random; says nothing about the individual.
        registration_id: the registration that led to it.
        version: grows with each change of the record; part of what its seal is bound to.
        sealed_record: the record under a data key of its own.
        sealed_uin: ciphertext of the UIN.
        published_at: when authentication was told; None for a draft.
        notified_at: when the individual's message was accepted for sending.
    """

    identity_id: UUID
    registration_id: str
    state: IdentityState
    version: int
    sealed_record: bytes = field(repr=False)
    sealed_uin: str = field(repr=False)
    published_at: datetime | None = None
    notified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SealedForAuthentication:
    """A record that only the authentication domain can open, with its wrapped data key."""

    sealed: bytes = field(repr=False)
    wrapped_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Counts:
    """identities: with a UIN; free: UINs drawn ahead; drawn: all of them."""

    identities: int
    free: int

    @property
    def drawn(self) -> int:
        """All numbers that exist, given out or not."""
        return self.identities + self.free
