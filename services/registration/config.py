"""Configuration of registration."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig
from services.common.objects import ObjectsConfig

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class UploadConfig:
    """Limits of uploads.

    Attributes:
        max_packet_bytes: a larger packet is refused. MOSIP's limit is 5 MB.
        max_concurrent: uploads taken at once; more are asked to come again.
        max_concurrent_per_machine: of these, from one machine.
        idle_s: an upload that brings nothing for this long is given up, in seconds.
    """

    max_packet_bytes: int = 5_000_000
    max_concurrent: int = 64
    max_concurrent_per_machine: int = 4
    idle_s: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.max_packet_bytes <= 128 * MIB:
            raise ValueError("max_packet_bytes must lie in (0, 134217728]")
        if not 0 < self.max_concurrent_per_machine <= self.max_concurrent:
            raise ValueError("max_concurrent_per_machine must lie in (0, max_concurrent]")
        if self.idle_s <= 0:
            raise ValueError("idle_s must be above 0")


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """What registration needs; peers: masterdata and processing.

    Attributes:
        main_processes: processes of which a registration has one packet.
        sub_processes: processes that add to a registration, once for each request.
        machine_ttl_s: how long a machine's key is believed without asking, in seconds.
        machine_stale_s: how long it is still believed while masterdata is away, in seconds.
        announced_days: how long a packet that a machine announced may be waited for: after that
            its key may be retired, in days.
        sweep_every_s: how often what crashes left in the object store is removed, in seconds.
    """

    vault: VaultConfig
    postgres: PostgresConfig
    objects: ObjectsConfig
    upload: UploadConfig = field(default_factory=UploadConfig)
    main_processes: tuple[str, ...] = (
        "NEW",
        "UPDATE",
        "LOST",
        "RES_UPDATE",
        "ACTIVATE",
        "DEACTIVATE",
        "OPENCRVS_NEW",
    )
    sub_processes: tuple[str, ...] = ("BIOMETRIC_CORRECTION",)
    machine_ttl_s: float = 30.0
    machine_stale_s: float = 600.0
    announced_days: int = 60
    sweep_every_s: float = 3600.0
