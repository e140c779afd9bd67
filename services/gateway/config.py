"""Configuration of the gateway."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.config import ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """Peers: audit, authentication, partner."""

    vault: VaultConfig
    # Of a partner's request; authentication takes at most 1 MiB.
    max_body_bytes: int = 1_048_576
    # For authentication to answer, in seconds; then the partner gets 503.
    authentication_timeout_s: float = 10.0
    # So long the keyed hash of a known licence or API key is remembered, in seconds.
    key_cache_s: float = 60.0
    key_cache_entries: int = 10_000
    # For answers; zero: on the event loop, which is cheapest while there are few cores.
    signing_threads: int = 0
    # Between reports of refusals to audit, in seconds.
    refusals_s: float = 10.0
    response_certificate_s: int = 2_592_000
