"""A partner's policy: which factors it may and must ask for, and what eKYC may tell it.

Source: mosip/mosip-config, auth-policy-schema.json; mosip/id-authentication, IdAuthFilter.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError

_BIO = "bio"
_KYC = "kyc"
# Factors that the platform does not have: refused whatever a policy says.
_UNSUPPORTED = frozenset({"kbt", "pwd"})


class TokenType(Enum):
    """For whom an authToken stays the same; the value is the policy's word."""

    RANDOM = "random"
    PARTNER = "partner"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of a request or of a policy; sub_type only of `bio`: FINGER, IRIS, FACE."""

    type: str
    sub_type: str | None = None

    @property
    def name(self) -> str:
        """The factor as MOSIP names it in messages."""
        return self.type if self.sub_type is None else f"{self.type}-{self.sub_type}"


@dataclass(frozen=True, slots=True)
class AuthPolicy:
    """A published policy."""

    token_type: TokenType
    allowed: frozenset[Factor]
    mandatory: tuple[Factor, ...]
    kyc_attributes: tuple[str, ...]
    kyc_languages: tuple[str, ...]

    def allows(self, factor: Factor) -> bool:
        """Return whether a factor may be used; `bio` without a sub-type allows every one."""
        return factor in self.allowed or Factor(factor.type) in self.allowed


def parse_policy(document: str) -> AuthPolicy:
    """Read a policy document, which partner checked against MOSIP's schema.

    Raises:
        ValueError: it is not of that form after all.
    """
    try:
        policy: dict[str, Any] = json.loads(document)
        entries = [(_factor(entry), entry) for entry in policy["allowedAuthTypes"]]
        token_type = TokenType(str(policy.get("authTokenType", "random")).lower())
        attributes = [str(item["attributeName"]) for item in policy.get("allowedKycAttributes", ())]
        languages = [str(language) for language in policy.get("kycLanguages") or ()]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not an authentication policy") from error
    return AuthPolicy(
        token_type=token_type,
        allowed=frozenset(factor for factor, _ in entries),
        mandatory=tuple(factor for factor, entry in entries if entry.get("mandatory") is True),
        kyc_attributes=tuple(attributes),
        kyc_languages=tuple(languages),
    )


def _factor(entry: dict[str, Any]) -> Factor:
    kind = str(entry["authType"]).lower()
    sub_type = entry.get("authSubType")
    return Factor(kind, str(sub_type).upper() if kind == _BIO and sub_type else None)


def check_factors(policy: AuthPolicy, factors: Sequence[Factor], *, kyc: bool) -> None:
    """Hold the factors of a request to the policy.

    Raises:
        WireError: IDA-MPA-006 for one not allowed, IDA-MPA-015 for a mandatory one left out,
            IDA-MLC-011 for one that the platform does not have.
    """
    for factor in factors:
        if factor.type in _UNSUPPORTED:
            raise WireError(IdaError.AUTH_TYPE_NOT_SUPPORTED, factor.name)
        if not policy.allows(factor):
            raise WireError(IdaError.AUTHTYPE_NOT_ALLOWED, factor.name)
    present = {*factors, *(Factor(factor.type) for factor in factors)}
    for factor in policy.mandatory:
        there = kyc if factor.type == _KYC else factor in present
        # otp-request is about another API than this one.
        if not there and factor.type != "otp-request":
            raise WireError(IdaError.AUTHTYPE_MANDATORY, factor.name)
