"""How long to wait after wrong secrets.

Wrong secrets are counted twice: per operator and source, strictly, and per operator from all
sources, leniently. The second lock does not hold where the operator logged in from lately: so a
stranger who is locked out, or locks a name from everywhere, does not lock out its owner.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

# Stands for all sources together.
ANYWHERE = ""


@dataclass(frozen=True)
class BackOff:
    """Free wrong attempts, then waits that double from first_s to last_s."""

    free: int = 5
    free_anywhere: int = 50
    first_s: float = 1.0
    last_s: float = 900.0
    remember_s: float = 86_400.0
    trusted_source_s: float = 30 * 86_400.0

    def wait_s(self, wrong: int, *, anywhere: bool = False) -> float:
        """Return the wait after so many wrong attempts in a row, in seconds."""
        beyond = wrong - (self.free_anywhere if anywhere else self.free)
        if beyond <= 0:
            return 0.0
        return float(min(self.last_s, self.first_s * 2.0 ** min(beyond - 1, 40)))


@dataclass(frozen=True)
class Attempts:
    """What is remembered of an operator's name at a source (or ANYWHERE)."""

    wrong: int = 0
    locked_until: datetime | None = None
    succeeded_at: datetime | None = None


def locked_until(
    here: Attempts, anywhere: Attempts, now: datetime, rules: BackOff
) -> datetime | None:
    """Return until when attempts are refused unseen, None if they are not."""
    ends = [here.locked_until]
    trusted = timedelta(seconds=rules.trusted_source_s)
    if here.succeeded_at is None or now - here.succeeded_at > trusted:
        ends.append(anywhere.locked_until)
    waiting = [end for end in ends if end is not None and end > now]
    return max(waiting, default=None)


def source_of(forwarded_for: str | None) -> str:
    """Return where a call comes from: the address that the edge saw, as a network of one user.

    Args:
        forwarded_for: the header; its last element is the edge's own observation.
    """
    last = (forwarded_for or "").rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(last)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
