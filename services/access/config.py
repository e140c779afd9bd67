"""Configuration of the access service."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """The issuer and the audience must be those that the edge checks."""

    postgres: PostgresConfig
    vault: VaultConfig
    issuer: str = "https://idmesh.local"
    audience: str = "idmesh"
    token_ttl_s: int = 900
    # Wrong secrets in a row after which an operator is locked, and for how long.
    wrong_secrets_allowed: int = 10
    locked_for_s: float = 300.0
