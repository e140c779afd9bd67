"""Runs the identity service alone: `python -m services.identity --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["identity"]))
