"""Limits that keep one caller from stopping the others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Times in seconds.

    They protect more than the caller: an open write transaction holds back the readers of
    every feed in the database cluster.
    """

    acquire_s: float = 2.0
    statement_s: float = 5.0
    transaction_s: float = 10.0
    connect_s: float = 10.0
    # How long opening the pool goes on trying: a server that starts again after a crash is
    # waited for, as its clients' next start would take longer.
    open_s: float = 30.0
