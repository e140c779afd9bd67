"""VIDs and the policy of each type.

Source: mosip/mosip-config, mosip-vid-policy.json. There a one-time VID may be used twice; here
once, as its name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from services.identity.domain.identity import LookupKey


class VidType(Enum):
    """How long a VID lasts."""

    PERPETUAL = "PERPETUAL"
    TEMPORARY = "TEMPORARY"
    ONE_TIME = "ONE_TIME"


class VidState(Enum):
    """Only an active VID can be used; the other states are final."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    USED = "USED"


@dataclass(frozen=True, slots=True)
class VidPolicy:
    """What a VID of a type may do.

    Attributes:
        max_instances: active ones that an individual may have at once.
        valid_for_s: None for no end.
        max_transactions: successful uses; None for no limit.
        restored_when_revoked: a new one takes the place of a revoked one.
    """

    max_instances: int
    valid_for_s: int | None = None
    max_transactions: int | None = None
    restored_when_revoked: bool = False

    def expires_at(self, now: datetime) -> datetime | None:
        """Return when a VID issued now ends."""
        return None if self.valid_for_s is None else now + timedelta(seconds=self.valid_for_s)


VidPolicies = Mapping[VidType, VidPolicy]

DEFAULT_POLICIES: VidPolicies = {
    VidType.PERPETUAL: VidPolicy(max_instances=1, restored_when_revoked=True),
    VidType.TEMPORARY: VidPolicy(max_instances=5, valid_for_s=1800, max_transactions=2),
    VidType.ONE_TIME: VidPolicy(max_instances=5, max_transactions=1),
}


@dataclass(frozen=True, slots=True)
class Vid:
    """A VID at rest.

    Attributes:
        lookup: found by it here.
        published: what authentication finds it by, under that domain's key.
        sealed: ciphertext of the digits.
        idempotency_key: of the call that asked for it, None where none did.
        replaced_by: the VID that was issued in its place.
        older: of a new one, what it would be found by under older versions of the key.
    """

    vid_id: UUID
    identity_id: UUID
    type: VidType
    state: VidState
    lookup: LookupKey
    published: LookupKey
    sealed: str = field(repr=False)
    expires_at: datetime | None = None
    transactions_left: int | None = None
    idempotency_key: str | None = None
    replaced_by: UUID | None = None
    older: tuple[LookupKey, ...] = field(default=(), compare=False, repr=False)

    def is_usable(self, now: datetime) -> bool:
        """Return whether it can name its individual now."""
        return self.state is VidState.ACTIVE and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class OpenVid:
    """A VID with its digits, on the way to its holder; never stored."""

    stored: Vid
    digits: str = field(repr=False)


def after_use(vid: Vid) -> tuple[VidState, int | None]:
    """Return state and remaining uses of an active VID after one successful use."""
    if vid.transactions_left is None:
        return vid.state, None
    left = max(vid.transactions_left - 1, 0)
    return (VidState.USED if left == 0 else vid.state), left
