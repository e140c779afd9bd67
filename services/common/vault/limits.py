"""Times, in seconds, and sizes that bound a call to Vault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class VaultLimits:
    """RSA has a longer time: one private-key operation takes Vault milliseconds."""

    call_s: float = 2.0
    rsa_call_s: float = 5.0
    # How long the first login goes on trying.
    connect_s: float = 30.0
    connections: int = 32
    # How long a node of a cluster is waited for before the next one is asked too.
    late_s: float = 0.3
    # How far a node may be behind its leader.
    lag_s: float = 3.0
    # Consecutive failures that open the breaker, and how long it stays open at first.
    failures_to_open: int = 5
    open_s: float = 0.5
    open_max_s: float = 10.0
