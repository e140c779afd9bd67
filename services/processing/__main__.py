"""Runs the processing service alone: `python -m services.processing --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["processing"]))
