"""Configuration of the access service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.access.domain.issuers import IssuerConfig, check_names
from services.common.config import PostgresConfig, ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class PasswordConfig:
    """Argon2id (RFC 9106), and how long a first password waits to be changed."""

    memory_kib: int = 65_536
    iterations: int = 3
    lanes: int = 4
    at_once: int = 2
    first_password_s: float = 259_200.0

    def __post_init__(self) -> None:
        # RFC 9106: 8 KiB for each lane; OWASP: no less than 19 MiB.
        if self.memory_kib < max(8 * self.lanes, 19_456) or self.iterations < 2:
            raise ValueError("memory_kib must be at least 19456 and iterations 2")


@dataclass(frozen=True, kw_only=True)
class AttemptsConfig:
    """Wrong attempts: free ones, then waits that double up to longest_wait_s.

    free counts per operator and source, free_anywhere per operator from all sources. A source
    may be wrong source_burst times, and source_per_minute times a minute in the long run.
    """

    free: int = 5
    free_anywhere: int = 50
    longest_wait_s: float = 900.0
    source_burst: int = 60
    source_per_minute: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """The issuer and the audience must be those that the edge checks.

    signer_life_s is how long a key in this process signs, signer_overlap_s how long it is
    published before: longer than the edge and others keep a key set. public_url is where clients
    reach the edge; the issuer, unless given.
    """

    postgres: PostgresConfig
    vault: VaultConfig
    issuer: str = "https://idmesh.local"
    audience: str = "idmesh"
    public_url: str = ""
    token_ttl_s: int = 900
    signer_life_s: float = 3_600.0
    signer_overlap_s: float = 90.0
    refresh_idle_s: float = 3_600.0
    session_s: float = 43_200.0
    second_factor_needed: bool = True
    passwords: PasswordConfig = field(default_factory=PasswordConfig)
    attempts: AttemptsConfig = field(default_factory=AttemptsConfig)
    trusted_issuers: Mapping[str, IssuerConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.signer_life_s <= 3_600.0:
            raise ValueError("signer_life_s must be at most an hour")
        if not 0 < self.token_ttl_s <= 3_600:
            raise ValueError("token_ttl_s must be at most an hour")
        check_names(self.trusted_issuers, self.issuer)
