"""Configuration of the audit service."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """Every service named in `sources` must stand in `peers`."""

    postgres: PostgresConfig
    vault: VaultConfig
    # The services whose feeds carry audit records.
    sources: tuple[str, ...] = (
        "abis",
        "access",
        "authentication",
        "identity",
        "masterdata",
        "notification",
        "partner",
        "processing",
        "registration",
    )

    def __post_init__(self) -> None:
        missing = [source for source in self.sources if source not in self.peers]
        if missing:
            raise ValueError(f"peers lacks {', '.join(missing)}")
