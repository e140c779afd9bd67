"""Issuers elsewhere (OpenID Connect) whose operators may come in, and as what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.access.domain.roles import ROLES

_NAME = re.compile(r"[a-z0-9-]{1,32}")
# In clear only where nobody is in between.
_SAFE = re.compile(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/]")
ALGORITHMS = frozenset({"RS256", "PS256", "ES256", "EdDSA"})


@dataclass(frozen=True, kw_only=True)
class IssuerConfig:
    """One issuer. Exactly one of jwks_uri and jwks_file is set.

    issuer and audience are compared letter by letter. roles_claim is where its tokens hold roles,
    a dot leading into an object, as in Keycloak's `realm_access.roles`; roles says what each of
    those is here, and what it does not name is nothing here. ca_file, if set, is what the server
    behind jwks_uri must be certified by.
    """

    issuer: str
    audience: str
    jwks_uri: str = ""
    jwks_file: str = ""
    ca_file: str = ""
    algorithms: tuple[str, ...] = ("RS256",)
    roles_claim: str = "realm_access.roles"
    subject_claim: str = "sub"
    refresh_s: float = 300.0
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.jwks_uri) == bool(self.jwks_file):
            raise ValueError("exactly one of jwks_uri and jwks_file must be set")
        if self.jwks_uri and not _SAFE.match(self.jwks_uri):
            raise ValueError("jwks_uri must be https")
        if not self.issuer or not self.audience:
            raise ValueError("issuer and audience must not be empty")
        if not self.algorithms or not ALGORITHMS.issuperset(self.algorithms):
            raise ValueError(f"algorithms must be of {sorted(ALGORITHMS)}")
        if unknown := {role for roles in self.roles.values() for role in roles} - ROLES:
            raise ValueError(f"no role {min(unknown)}")


def check_names(issuers: Mapping[str, IssuerConfig], own: str) -> None:
    """Refuse names that would not be unique as prefixes.

    Raises:
        ValueError: a name is not of small letters, digits and dashes, or an issuer comes twice.
    """
    if bad := [name for name in issuers if not _NAME.fullmatch(name)]:
        raise ValueError(f"issuer {min(bad)!r}: the name is not of [a-z0-9-]")
    known = [own, *(each.issuer for each in issuers.values())]
    if len(set(known)) != len(known):
        raise ValueError("two issuers have one name")
