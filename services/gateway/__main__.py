"""Runs the gateway alone: `python -m services.gateway --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["gateway"]))
