"""`idmesh serve` for a supervisor: imports while the others start, serves when it is told to.

Run as `python -m services.local.serve NAME... --config FILE`. The configuration is complete, and
the secret ids are minted, once a byte arrives on standard input.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Serve; the exit code is that of `idmesh serve`."""
    names, config = arguments[:-2], arguments[-1]
    assert names, "there is nothing to serve"
    assert arguments[-2] == "--config", "the last two arguments are --config FILE"
    from services.common import process

    for name in names:
        importlib.import_module(f"services.{name}.wiring")
    if not sys.stdin.buffer.read(1):
        return 1  # whoever was to say so is gone
    return process.main(list(names), ["--config", config])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
