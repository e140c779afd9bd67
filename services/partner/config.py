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
