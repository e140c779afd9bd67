"""What was refused here, counted: alike refusals are one line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Refusals:
    """Requests that were refused alike; `correlation_id` is that of the first."""

    partner_id: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime
    correlation_id: str
