"""Runs the audit service alone: `python -m services.audit --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["audit"]))
