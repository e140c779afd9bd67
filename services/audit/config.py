"""Configuration of the audit service."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig
from services.common.objects import ObjectsConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """What audit needs. Every service named in `sources` must stand in `peers`.

    Attributes:
        objects: where the log's tiles and its checkpoint lie; needs no secrecy of its own, only
            that nobody else writes there.
        origin: the log's name in checkpoints and keys; empty: the trust domain and "/audit". It
            never changes in a log's life.
        checkpoint_s: so often the log is signed when anything is new; at most 60.
        quiet_s: after so long without anything new the log makes a record of that.
        recheck_records: so many signed records are compared with the tree before each signature.
    """

    postgres: PostgresConfig
    vault: VaultConfig
    objects: ObjectsConfig
    origin: str = ""
    checkpoint_s: float = 20.0
    quiet_s: float = 3600.0
    recheck_records: int = 4096
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
        if not 0 < self.checkpoint_s <= 60 or self.quiet_s <= 0 or self.recheck_records < 0:
            raise ValueError(
                "checkpoint_s must lie in (0, 60], quiet_s above 0, recheck at least 0"
            )
        if any(character in " +\n" for character in self.origin):
            raise ValueError("origin must have no space, newline or +")

    @property
    def log_origin(self) -> str:
        """The log's name."""
        return self.origin or f"{self.tls.trust_domain}/audit"
