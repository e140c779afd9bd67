"""Configuration of the processing service."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig
from services.processing.domain.demographics import DemographicFields

_PEERS = ("abis", "identity", "masterdata", "registration")


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """`peers` must name abis, identity, masterdata and registration.

    Attributes:
        workers: registrations that are worked on at once.
        lease_s: how long a registration stays another's after its worker was last heard of.
        retry_base_s, retry_most_s: between the tries of a stage; doubling, with jitter.
        hold_s: how often one that waits for another's end looks again though nothing woke it.
        appeal_s: how long after a refusal its reference stays in the gallery.
        mandatory_fields: of the identity object, `a|b` for either; empty: the schema's required.
        biometrics_field: of the identity object: the applicant's own captures.
        demographic_fields: what demographic duplicates are found by.
        infant_age_years: below it there is no demographic check.
        infant_dedupe: checks infants too.
    """

    vault: VaultConfig
    postgres: PostgresConfig
    workers: int = 4
    lease_s: float = 30.0
    retry_base_s: float = 0.5
    retry_most_s: float = 300.0
    hold_s: float = 300.0
    appeal_s: float = 0.0
    mandatory_fields: tuple[str, ...] = ()
    biometrics_field: str = "individualBiometrics"
    demographic_fields: DemographicFields = field(default_factory=DemographicFields)
    infant_age_years: int = 5
    infant_dedupe: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1 or self.lease_s < 1:
            raise ValueError("workers and lease_s must be at least 1")
        if min(self.retry_base_s, self.retry_most_s, self.hold_s) <= 0 or self.appeal_s < 0:
            raise ValueError(
                "retry_base_s, retry_most_s, hold_s must be above 0, appeal_s not below"
            )
        missing = [peer for peer in _PEERS if peer not in self.peers]
        if missing:
            raise ValueError(f"peers lacks {', '.join(missing)}")
