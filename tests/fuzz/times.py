"""One fixed instant for seeds."""

from datetime import UTC, datetime

AT = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
