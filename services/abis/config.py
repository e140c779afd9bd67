"""Configuration of the abis service."""

from __future__ import annotations

from dataclasses import dataclass

from services.abis.domain.candidate import DEFAULT_MIN_SIMILARITY
from services.common.config import PostgresConfig, ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """What abis needs.

    Attributes:
        search_threads: threads of the matcher that one search uses.
        concurrent_searches: searches that run at once; others wait.
        gallery_wait_s: how long a search waits for the galleries to hold what it asks for.
        min_similarity: of a person, from which on a reference is a candidate, in [0, 1].
    """

    vault: VaultConfig
    postgres: PostgresConfig
    search_threads: int = 2
    concurrent_searches: int = 2
    gallery_wait_s: float = 2.0
    min_similarity: float = DEFAULT_MIN_SIMILARITY

    def __post_init__(self) -> None:
        if self.search_threads < 1 or self.concurrent_searches < 1:
            raise ValueError("search_threads and concurrent_searches must be at least 1")
        if not 0 <= self.min_similarity <= 1 or self.gallery_wait_s < 0:
            raise ValueError("min_similarity must lie in [0, 1], gallery_wait_s be at least 0")
