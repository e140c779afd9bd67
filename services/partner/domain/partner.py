"""Partners and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass, field
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


# The domain that a type of partner has its certificates in.
DOMAIN_OF = {
    PartnerType.AUTH: TrustDomain.AUTH,
    PartnerType.MISP: TrustDomain.AUTH,
    PartnerType.DEVICE_PROVIDER: TrustDomain.DEVICE,
    PartnerType.FTM_PROVIDER: TrustDomain.FTM,
}


@dataclass(frozen=True)
class Partner:
    """Who relies on us. Certificates are DER, newest first."""

    partner_id: str
    type: PartnerType
    organisation: str
    status: Status
    changed_at: datetime
    certificates: tuple[bytes, ...] = ()


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
