"""Runs the notification service alone: `python -m services.notification --config FILE`."""

from services.common import process

if __name__ == "__main__":
    raise SystemExit(process.main(["notification"]))
