"""`idmesh bench keys`: what keys, tokens and the audit log cost.

Each part is a module with a function run(Options), listed in PARTS.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PARTS: Final = {
    "vault": "services.bench.keys.vault_calls",
    "tokens": "services.bench.keys.tokens",
    "audit": "services.bench.keys.audit",
}


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        seconds: how long each figure is measured.
        in_flight: calls of ours under way at once.
        threads: threads of the peer that has no event loop.
    """

    seconds: float
    in_flight: int
    threads: int


def run(parts: Sequence[str], options: Options) -> None:
    """Measure the parts, all if none is named, one after the other."""
    for name in parts or PARTS:
        importlib.import_module(PARTS[name]).run(options)
