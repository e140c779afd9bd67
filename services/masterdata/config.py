"""Configuration of masterdata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """What masterdata needs.

    Attributes:
        packet_key_type: of new centres' packet keys. MOSIP's clients read RSA-2048 only.
        packet_certificate_days: how long a machine's packet certificate is valid, in days.
        renew_before_days: how long before its end a certificate is replaced, in days.
        packet_overlap_days: how long after its replacement a machine may seal for a
            certificate: the longest that one is offline, in days.
        renew_every_s: how often the certificates are looked through, in seconds.
    """

    vault: VaultConfig
    postgres: PostgresConfig
    packet_key_type: Literal["rsa-2048", "rsa-3072"] = "rsa-2048"
    packet_certificate_days: int = 365
    renew_before_days: int = 30
    packet_overlap_days: int = 60
    renew_every_s: float = 3600.0

    def __post_init__(self) -> None:
        if not 0 < self.renew_before_days < self.packet_certificate_days:
            raise ValueError("renew_before_days must lie in (0, packet_certificate_days)")
        if self.renew_every_s <= 0:
            raise ValueError("renew_every_s must be above 0")
