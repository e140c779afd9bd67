"""Who may ask, as partner's feed tells it: all of it in memory.

A change is visible to the next request. Nothing here is a secret: licence and API keys are known
by their keyed hash only.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeVar

from cryptography import x509

from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError
from services.common.revocation import Revocations

T = TypeVar("T")


class PartnerType(Enum):
    """Numbered as idmesh.partner.v1.PartnerType."""

    AUTH = 1
    MISP = 2
    DEVICE_PROVIDER = 3
    FTM_PROVIDER = 4


@dataclass(frozen=True, slots=True)
class Partner:
    """Who relies on us; certificates are X.509 DER, each with when it stops being taken.

    None: at its own end.
    """

    partner_id: str
    type: PartnerType
    active: bool
    certificates: Mapping[bytes, datetime | None] = field(repr=False)

    def holds(self, certificate: bytes, now: datetime) -> bool:
        """Tell whether a certificate is registered and was not replaced."""
        if certificate not in self.certificates:
            return False
        return not _is_over(self.certificates[certificate], now)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a partner may ask: MOSIP's names, such as otp-request and kyc."""

    policy_id: str
    active: bool
    valid_until: datetime | None
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Binds a partner to a policy."""

    key_id: str
    partner_id: str
    policy_id: str
    active: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Licence:
    """Lets a MISP pass requests on."""

    licence_id: str
    partner_id: str
    active: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Admission:
    """Who asks, under which policy."""

    partner: Partner
    misp_id: str
    policy: Policy
    api_key_id: str


def allowed_types(document: str) -> frozenset[str]:
    """Return the authType names of a policy document; none of one that is malformed."""
    try:
        entries = json.loads(document)["allowedAuthTypes"]
        return frozenset(str(entry["authType"]).lower() for entry in entries)
    except (ValueError, KeyError, TypeError):
        return frozenset()


@dataclass(slots=True)
class Directory:
    """The replica. One task writes it, between the awaits of others."""

    partners: dict[str, Partner] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    api_keys: dict[bytes, ApiKey] = field(default_factory=dict)
    licences: dict[bytes, Licence] = field(default_factory=dict)
    authorities: dict[bytes, x509.Certificate] = field(default_factory=dict)
    # Of the keyed hashes above.
    key_versions: set[int] = field(default_factory=set)
    revocations: Revocations = field(default_factory=Revocations)
    # Hashes that were kept before the look-up key was rotated, and what is kept in their place.
    replaced: dict[bytes, bytes] = field(default_factory=dict)
    # Grows with each change of the authorities.
    generation: int = 0

    def clear(self) -> None:
        """Forget all, before the feed comes again from its beginning."""
        self.partners.clear()
        self.policies.clear()
        self.api_keys.clear()
        self.licences.clear()
        self.authorities.clear()
        self.key_versions.clear()
        self.revocations.clear()
        self.replaced.clear()
        self.generation += 1

    def put_api_key(self, lookup_key: bytes, version: int, api_key: ApiKey) -> None:
        """Know an API key by a hash, and by no other any more."""
        self._forget(self.api_keys, lambda known: known.key_id == api_key.key_id, lookup_key)
        self.api_keys[lookup_key] = api_key
        self.key_versions.add(version)

    def put_licence(self, lookup_key: bytes, version: int, licence: Licence) -> None:
        """Know a licence by a hash, and by no other any more."""
        self._forget(
            self.licences, lambda known: known.licence_id == licence.licence_id, lookup_key
        )
        self.licences[lookup_key] = licence
        self.key_versions.add(version)

    def _forget(self, among: dict[bytes, T], is_it: Callable[[T], bool], lookup_key: bytes) -> None:
        if lookup_key in among:
            return
        for old in [digest for digest, known in among.items() if is_it(known)]:
            del among[old]
            # A request that was hashed a moment ago still means it.
            self.replaced[old] = lookup_key

    def trust(self, certificate: bytes) -> None:
        """Trust an authority for partners' signatures."""
        self.authorities[certificate] = x509.load_der_x509_certificate(certificate)
        self.generation += 1

    def distrust(self, certificate: bytes) -> None:
        """Trust an authority no longer."""
        self.authorities.pop(certificate, None)
        self.generation += 1

    def admit(
        self, licence: bytes | None, partner_id: str, api_key: bytes | None, now: datetime
    ) -> Admission:
        """Return who asks; keys are given by their keyed hashes, None for an unknown one.

        Raises:
            WireError: IDA-MPA-007, -017, -008 for the licence; -009, -012 for the partner; -009,
                -039 for the API key; -018, -019 for the policy.
        """
        misp_id = self._misp(licence, now)
        partner = self.partners.get(partner_id)
        if partner is None or partner.type is not PartnerType.AUTH:
            raise WireError(IdaError.PARTNER_NOT_REGISTERED)
        if not partner.active:
            raise WireError(IdaError.PARTNER_DEACTIVATED)
        key = None
        if api_key is not None:
            key = self.api_keys.get(self.replaced.get(api_key, api_key))
        # A key of another partner is as unknown as none: it must not become an oracle.
        if key is None or key.partner_id != partner_id or not key.active:
            raise WireError(IdaError.PARTNER_NOT_REGISTERED)
        if _is_over(key.expires_at, now):
            raise WireError(IdaError.PARTNER_API_EXPIRED)
        policy = self.policies.get(key.policy_id)
        if policy is None:
            raise WireError(IdaError.INVALID_POLICY_ID)
        if not policy.active or _is_over(policy.valid_until, now):
            raise WireError(IdaError.PARTNER_POLICY_NOT_ACTIVE)
        return Admission(partner, misp_id, policy, key.key_id)

    def _misp(self, lookup_key: bytes | None, now: datetime) -> str:
        licence = None
        if lookup_key is not None:
            licence = self.licences.get(self.replaced.get(lookup_key, lookup_key))
        misp = self.partners.get(licence.partner_id) if licence is not None else None
        if licence is None or misp is None or misp.type is not PartnerType.MISP:
            raise WireError(IdaError.INVALID_LICENSEKEY)
        if not licence.active or not misp.active:
            raise WireError(IdaError.LICENSEKEY_SUSPENDED)
        if _is_over(licence.expires_at, now):
            raise WireError(IdaError.LICENSEKEY_EXPIRED)
        return misp.partner_id


def _is_over(until: datetime | None, now: datetime) -> bool:
    return until is not None and until <= now
