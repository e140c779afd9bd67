"""Runs the abis service alone: `python -m services.abis --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["abis"]))
