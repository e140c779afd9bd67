"""Runs authentication alone: python -m services.authentication --config FILE."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["authentication"]))
