"""Runs the access service alone: `python -m services.access --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["access"]))
