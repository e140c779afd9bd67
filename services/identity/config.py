"""Configuration of the identity service."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig
from services.identity.domain.capacity import check_population
from services.identity.domain.record import ContactFields
from services.identity.domain.vid import DEFAULT_POLICIES, VidPolicy, VidType


@dataclass(frozen=True, kw_only=True)
class VidPoliciesConfig:
    """The policy of each type of VID."""

    perpetual: VidPolicy = DEFAULT_POLICIES[VidType.PERPETUAL]
    temporary: VidPolicy = DEFAULT_POLICIES[VidType.TEMPORARY]
    one_time: VidPolicy = DEFAULT_POLICIES[VidType.ONE_TIME]


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """`peers` must name notification and authentication.

    Attributes:
        uin_length: digits of a UIN, with its check digit; it cannot be changed later.
        population: how many people will ever be enrolled; at most half of what uin_length holds.
        uin_pool_low: UINs that are drawn ahead.
        vid_expiry_interval_s: how often VIDs whose time is over are ended.
        sms: whether people without an e-mail address get a text message.
    """

    vault: VaultConfig
    postgres: PostgresConfig
    uin_length: int = 12
    population: int = 100_000_000
    uin_pool_low: int = 1_000
    vid_policies: VidPoliciesConfig = field(default_factory=VidPoliciesConfig)
    vid_expiry_interval_s: float = 5.0
    contact_fields: ContactFields = field(default_factory=ContactFields)
    sms: bool = False

    def __post_init__(self) -> None:
        check_population(self.population, self.uin_length)
        if self.uin_pool_low < 1 or self.vid_expiry_interval_s <= 0:
            raise ValueError("uin_pool_low and vid_expiry_interval_s must be above 0")
        missing = [peer for peer in ("authentication", "notification") if peer not in self.peers]
        if missing:
            raise ValueError(f"peers lacks {', '.join(missing)}")
