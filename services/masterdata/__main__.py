"""Run masterdata alone: `python -m services.masterdata --config FILE`."""

from __future__ import annotations

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["masterdata"]))
