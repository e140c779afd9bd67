"""`keys.toml` and `policies/` as typed data."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

KEY_CUSTODIAN = "key-custodian"
# Logins whose secret id lasts: nobody is there to mint them one.
LASTING = ("supervisor", "break-glass")

VAULT_FOLDER = Path(__file__).resolve().parent.parent


class LayoutError(Exception):
    """`keys.toml` or a policy is wrong; the message names the entry."""


@dataclass(frozen=True)
class Authority:
    """The certificate authority that a PKI mount holds."""

    common_name: str
    key_type: str
    key_bits: int
    ttl_s: int
    parent: str = ""  # the mount that signs this one; empty: self-signed


@dataclass(frozen=True)
class Mount:
    """A secrets engine at a path."""

    path: str
    type: str
    purpose: str
    ca: Authority | None = None
    revocable: bool = False


@dataclass(frozen=True)
class Key:
    """A transit key. A name that ends in `*` is a family that a service makes at run time."""

    name: str
    type: str
    purpose: str
    use: Mapping[str, tuple[str, ...]]
    derived: bool = False
    rotate_s: int = 0
    made_by: str = ""

    @property
    def mount(self) -> str:
        """The transit mount that holds the key."""
        return self.name.rpartition("/")[0]

    @property
    def short_name(self) -> str:
        """The name inside the mount."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class CertificateRole:
    """A role of a PKI mount, and who may sign with it."""

    path: str
    purpose: str
    ttl_s: int
    signed_by: tuple[str, ...]
    spiffe: str = ""  # last segment of the SPIFFE id; empty: no mesh identity, any name
    key_type: str = "ec"
    key_usage: tuple[str, ...] = ("DigitalSignature", "KeyAgreement")
    server: bool = True
    ip_sans: bool = False
    stored: bool = False  # stored certificates can be revoked


@dataclass(frozen=True)
class Quota:
    """The most requests a second that one client address may send to a path."""

    name: str
    path: str
    rate_per_s: float


@dataclass(frozen=True)
class AuditDevice:
    """Where a server writes what it was asked, secrets hashed; used where an API makes them."""

    name: str
    type: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """All of it."""

    trust_domain: str
    services: tuple[str, ...]
    mounts: tuple[Mount, ...]
    keys: tuple[Key, ...]
    certificate_roles: tuple[CertificateRole, ...]
    secret_id_ttl_s: int
    token_period_s: int
    policies: Mapping[str, str] = field(default_factory=dict)
    quotas: tuple[Quota, ...] = ()
    audit_devices: tuple[AuditDevice, ...] = ()

    @property
    def minted(self) -> tuple[str, ...]:
        """The AppRoles that the supervisor of one machine hands wrapped secret ids to."""
        return (*self.services, KEY_CUSTODIAN)

    @property
    def logins(self) -> tuple[str, ...]:
        """The AppRoles: services, who rotates keys, the supervisor, who breaks the glass."""
        return (*self.minted, *LASTING)

    def fingerprint(self) -> str:
        """Changes when anything here does, so that a start can tell whether to run again."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def load(folder: Path = VAULT_FOLDER) -> Layout:
    """Read the folder.

    Raises:
        LayoutError: an entry is unknown, incomplete or names something that is not there.
    """
    table = tomllib.loads((folder / "keys.toml").read_text())
    services = tuple(table["services"])
    policies = {path.stem: path.read_text() for path in sorted(folder.glob("policies/*.hcl"))}
    trust_domain = table["trust_domain"]
    roles = [_service_role(name) for name in services]
    roles += [_certificate_role(row) for row in table["certificate_role"]]
    layout = Layout(
        trust_domain=trust_domain,
        services=services,
        mounts=tuple(_mount(row) for row in table["mount"]),
        keys=tuple(_key(row) for row in table["key"]),
        certificate_roles=tuple(roles),
        secret_id_ttl_s=table["login"]["secret_id_ttl_s"],
        token_period_s=table["login"]["token_period_s"],
        policies=policies,
        quotas=tuple(_construct(Quota, row) for row in table["quota"]),
        audit_devices=tuple(_construct(AuditDevice, row) for row in table["audit_device"]),
    )
    _check(layout)
    return layout


def _service_role(name: str) -> CertificateRole:
    return CertificateRole(
        path=f"core/pki/roles/{name}",
        purpose=f"the service {name}",
        ttl_s=86400,
        signed_by=(name,),
        spiffe=name,
    )


def _mount(row: dict[str, Any]) -> Mount:
    authority = row.pop("ca", None)
    return _construct(Mount, row, ca=_construct(Authority, authority) if authority else None)


def _key(row: dict[str, Any]) -> Key:
    use = {service: tuple(verbs) for service, verbs in row.pop("use").items()}
    return _construct(Key, row, use=use)


def _certificate_role(row: dict[str, Any]) -> CertificateRole:
    lists = {name: tuple(row.pop(name)) for name in ("signed_by", "key_usage") if name in row}
    return _construct(CertificateRole, row, **lists)


def _construct(cls: type[T], row: dict[str, Any], **more: Any) -> T:
    try:
        return cls(**row, **more)
    except TypeError as error:
        raise LayoutError(f"keys.toml: {cls.__name__} {row}: {error}") from error


def _check(layout: Layout) -> None:
    mounts = {mount.path for mount in layout.mounts}
    for key in layout.keys:
        if key.mount not in mounts:
            raise LayoutError(f"keys.toml: {key.name}: there is no mount {key.mount}")
        if strangers := set(key.use) - set(layout.services):
            raise LayoutError(f"keys.toml: {key.name}: no such service: {sorted(strangers)}")
    for role in layout.certificate_roles:
        if role.path.partition("/roles/")[0] not in mounts:
            raise LayoutError(f"keys.toml: {role.path}: there is no such mount")
    parents = {mount.ca.parent for mount in layout.mounts if mount.ca}
    if missing := parents - mounts - {""}:
        raise LayoutError(f"keys.toml: there is no mount {sorted(missing)} to sign an authority")
    for quota in layout.quotas:
        place = quota.path.removeprefix("auth/").rstrip("/")
        if place not in mounts and not quota.path.startswith("auth/"):
            raise LayoutError(f"keys.toml: the quota {quota.name}: there is no mount {place}")
    if missing := set(layout.logins) - set(layout.policies):
        raise LayoutError(f"policies/: missing for {sorted(missing)}")
