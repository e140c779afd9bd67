"""Runs the partner service alone: `python -m services.partner --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["partner"]))
