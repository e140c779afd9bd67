"""Run registration alone: `python -m services.registration --config FILE`."""

from __future__ import annotations

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["registration"]))
