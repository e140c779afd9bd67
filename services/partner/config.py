"""Configuration of the partner service."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """How long what is made here is good for, unless the request says otherwise."""

    postgres: PostgresConfig
    vault: VaultConfig
    policy_valid_days: int = 180
    api_key_valid_days: int = 365
    licence_valid_days: int = 365
    # A certificate authority must be good for at least so long (MOSIP: twelve months).
    authority_valid_days: int = 365
    # A partner's certificate must be good for at least so long when it comes.
    certificate_valid_days: int = 30
    # How long a certificate of ours over a partner's key lasts, at most as long as its original.
    reissued_days: int = 365
    # So long a replaced certificate stays good beside the new one, unless the request says.
    overlap_days: int = 90
    # How often what is due with certificates is done.
    certificates_every_s: float = 1.0
    # Before the end of a partner's certificate; each warning goes out once.
    expiry_warning_days: tuple[int, ...] = (30, 7, 1)
    # Domains (AUTH, DEVICE, FTM) whose authorities are believed only while what they say of
    # revocations is fresh. None by default: an outage of somebody's web server would end every
    # authentication by their partners. What is known to be revoked is refused in any domain.
    strict_domains: tuple[str, ...] = ()
    # How long after its announced end a list of a strict domain goes on being believed.
    revocation_grace_hours: float = 24.0
    # Lists and responders are asked at least so often.
    revocation_every_s: float = 3600.0
    # Names and addresses of lists and responders that may be private.
    revocation_private_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.strict_domains) - {"AUTH", "DEVICE", "FTM"}
        if unknown:
            raise ValueError(f"strict_domains: there is no {', '.join(sorted(unknown))}")
        if "notification" not in self.peers:
            raise ValueError("peers lacks notification")
