"""Partners and what belongs to them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

# A partner replaces a certificate without a gap: the newest ones are valid side by side.
CERTIFICATES_KEPT = 2


class PartnerType(Enum):
    """What a partner is; the values are those on the wire."""

    AUTH = 1
    MISP = 2
    DEVICE_PROVIDER = 3
    FTM_PROVIDER = 4


class Status(Enum):
    """Whether something may be used; the values are those on the wire."""

    ACTIVE = 1
    INACTIVE = 2


class TrustDomain(Enum):
    """Where a certificate is trusted; the values are those on the wire."""

    AUTH = 1
    DEVICE = 2
    FTM = 3
    TRUST_CA = 4


# The domain that a type of partner has its certificates in.
DOMAIN_OF = {
    PartnerType.AUTH: TrustDomain.AUTH,
    PartnerType.MISP: TrustDomain.AUTH,
    PartnerType.DEVICE_PROVIDER: TrustDomain.DEVICE,
    PartnerType.FTM_PROVIDER: TrustDomain.FTM,
}


class Kind(Enum):
    """Whose signature a certificate bears; the values are those on the wire."""

    ORIGINAL = 1
    REISSUED = 2


class Reason(Enum):
    """Why a certificate is revoked; RFC 5280's numbers, which are those on the wire."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    PRIVILEGE_WITHDRAWN = 9


@dataclass(frozen=True)
class Held:
    """A partner's certificate, X.509 DER, and how long it is taken.

    chain is what stands above a re-issued one, its root last; original is the thumbprint of the
    certificate that it was made for. Withdrawn: revoked, or pushed out by newer ones.
    """

    certificate: bytes = field(repr=False)
    kind: Kind
    added_at: datetime
    usable_until: datetime
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    original: bytes = b""
    withdrawn_at: datetime | None = None

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 over the certificate."""
        return hashlib.sha256(self.certificate).digest()

    @property
    def pair(self) -> bytes:
        """The thumbprint of the original: what an original and its re-issue have in common."""
        return self.original or self.thumbprint


@dataclass(frozen=True)
class Partner:
    """Who relies on us. All certificates that it ever had are held, newest first."""

    partner_id: str
    type: PartnerType
    organisation: str
    status: Status
    changed_at: datetime
    held: tuple[Held, ...] = ()
    contact_email: str = field(default="", repr=False)

    @property
    def usable(self) -> tuple[Held, ...]:
        """What was not withdrawn."""
        return tuple(one for one in self.held if one.withdrawn_at is None)

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """What was not withdrawn, DER, newest first."""
        return tuple(one.certificate for one in self.usable)

    def with_added(self, added: Sequence[Held], now: datetime, replaced_until: datetime) -> Partner:
        """Return the partner with newer certificates, an original and perhaps its re-issue.

        Those before end at replaced_until at the latest; of more than CERTIFICATES_KEPT
        originals the oldest is withdrawn.
        """
        new = {one.pair for one in added}
        kept = set(new)
        older = []
        for one in self.held:
            if one.thumbprint in {each.thumbprint for each in added}:
                continue
            if one.withdrawn_at is None and one.pair not in new:
                if one.pair not in kept and len(kept) == CERTIFICATES_KEPT:
                    one = replace(one, withdrawn_at=now)  # noqa: PLW2901
                else:
                    kept.add(one.pair)
                    end = min(one.usable_until, replaced_until)
                    one = replace(one, usable_until=end)  # noqa: PLW2901
            older.append(one)
        return replace(self, held=(*added, *older), changed_at=now)

    def pair_of(self, thumbprint: bytes) -> tuple[Held, ...]:
        """Return an original and its re-issue by the thumbprint of either; none: unknown."""
        pair = next((one.pair for one in self.held if one.thumbprint == thumbprint), None)
        return tuple(one for one in self.held if one.pair == pair)

    def with_changed(self, changed: Sequence[Held], now: datetime) -> Partner:
        """Return the partner with some of its certificates as they are now."""
        by_print = {one.thumbprint: one for one in changed}
        held = tuple(by_print.get(one.thumbprint, one) for one in self.held)
        return replace(self, held=held, changed_at=now)


@dataclass(frozen=True)
class Authority:
    """A certificate authority in a domain; own: one of the platform's."""

    domain: TrustDomain
    certificate: bytes = field(repr=False)
    status: Status
    own: bool = False

    @property
    def thumbprint(self) -> bytes:
        """SHA-256 over the certificate."""
        return hashlib.sha256(self.certificate).digest()


@dataclass(frozen=True)
class Revoked:
    """Serials of one authority's certificates that became revoked, or are no longer so.

    issuer is the SHA-256 over the authority's public key; serials are unsigned, big endian.
    """

    issuer: bytes
    added: tuple[bytes, ...] = ()
    removed: tuple[bytes, ...] = ()
    good_until: datetime | None = None


@dataclass(frozen=True)
class Policy:
    """What a partner may ask and receive: MOSIP's policy document, JSON text."""

    policy_id: str
    name: str
    document: str
    status: Status
    valid_until: datetime


@dataclass(frozen=True)
class KeyHash:
    """A keyed hash of an API key or licence, and the version of the key it is made with."""

    version: int
    digest: bytes = field(repr=False)


@dataclass(frozen=True)
class ApiKey:
    """Binds a partner to a policy."""

    key_id: str
    partner_id: str
    policy_id: str
    label: str
    status: Status
    expires_at: datetime
    hash: KeyHash = field(repr=False)


@dataclass(frozen=True)
class Licence:
    """Lets a MISP pass requests on."""

    licence_id: str
    partner_id: str
    status: Status
    expires_at: datetime
    hash: KeyHash = field(repr=False)


class SourceKind(Enum):
    """How revocations are learnt; the values are those on the wire."""

    LIST = 1
    RESPONDER = 2


@dataclass(frozen=True)
class RevocationSource:
    """Where revocations of one authority are learnt from, and how that goes.

    authority and certificate are X.509 DER; a responder is asked for one certificate. A list
    without a URL was uploaded: nobody looks for the next one.
    """

    kind: SourceKind
    url: str
    domain: TrustDomain
    issuer: bytes
    authority: bytes = field(repr=False)
    serial: bytes = b""
    certificate: bytes = field(default=b"", repr=False)
    this_update: datetime | None = None
    next_update: datetime | None = None
    next_check_at: datetime | None = None
    failures: int = 0
    last_error: str = ""
