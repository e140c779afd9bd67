"""What Vault and the services say of a key, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from vault.bootstrap.custodian import Custodian, KeyState
from vault.bootstrap.layout import Key, Layout

# Vault rotates what is due within a while; only what stays undone is overdue.
GRACE = timedelta(hours=2)
# What nobody seals under: a version is needed while what it signed is verified.
SIGNERS = frozenset({"ed25519", "ecdsa-p256"})


@dataclass(frozen=True)
class Need:
    """What one service needs one version of a key for; see idmesh.keys.v1.KeyUse."""

    service: str
    key: str
    version: int
    holding: str
    items: int
    approximate: bool
    remedy: str
    needed_until: datetime | None = None


@dataclass(frozen=True)
class Work:
    """The background work of one service on one key; see idmesh.keys.v1.Rewrapping."""

    service: str
    key: str
    target_version: int
    done: int
    total: int
    refused: int
    rate_per_s: float
    finished: bool


@dataclass(frozen=True)
class KeyReport:
    """One key: what Vault says, what it is for, and what the services need it for."""

    state: KeyState
    purpose: str
    needs: Sequence[Need]
    work: Sequence[Work]

    @property
    def blocking(self) -> Sequence[Need]:
        """What needs a version that is neither the newest nor retired."""
        versions = range(self.state.oldest, self.state.latest)
        return [need for need in self.needs if need.version in versions]

    def age(self, now: datetime) -> timedelta | None:
        """Return how old the newest version is; None where Vault does not tell."""
        made = self.state.made_at.get(self.state.latest)
        return None if made is None else now - made

    def rotation(self, now: datetime) -> str:
        """Return "due", "overdue", "in N d", or "by hand" where it does not rotate by itself."""
        if not self.state.rotate_s:
            return "by hand"
        age = self.age(now)
        if age is None:
            return f"every {days(timedelta(seconds=self.state.rotate_s))}"
        left = timedelta(seconds=self.state.rotate_s) - age
        if left > timedelta():
            return f"in {days(left)}"
        return "due" if -left <= GRACE else "overdue"

    def to_json(self, now: datetime) -> Mapping[str, Any]:
        """Return the report for programs."""
        state, age = self.state, self.age(now)
        return {
            "key": state.name,
            "type": state.type,
            "purpose": self.purpose,
            "latest": state.latest,
            "oldest": state.oldest,
            "sealing_from": state.sealing_from,
            "trimmed_below": state.trimmed_below,
            "age_s": None if age is None else round(age.total_seconds()),
            "rotate_s": state.rotate_s,
            "rotation": self.rotation(now),
            "needs": [
                vars(need) | {"needed_until": need.needed_until and need.needed_until.isoformat()}
                for need in self.needs
            ],
            "blocking": sorted({f"{each.service}: {each.holding}" for each in self.blocking}),
            "rewrapping": [vars(each) for each in self.work],
        }


def days(length: timedelta) -> str:
    """Return a length of time in one unit."""
    hours = length.total_seconds() / 3600
    return f"{hours / 24:.0f} d" if hours >= 48 else f"{hours:.0f} h"


def key_names(custodian: Custodian, layout: Layout, wanted: Sequence[str] = ()) -> list[str]:
    """Return the keys that there are: those of the layout, families by their members.

    wanted: names or patterns such as "core/transit/pkt-*"; none: all.
    """
    mounts = dict.fromkeys(key.mount for key in layout.keys)
    present = [name for mount in mounts for name in custodian.names(mount)]
    return [name for name in present if not wanted or any(fnmatchcase(name, w) for w in wanted)]


def declared(layout: Layout, name: str) -> Key | None:
    """Return the layout's entry of a key."""
    return next((key for key in layout.keys if fnmatchcase(name, key.name)), None)


def reports(
    custodian: Custodian,
    layout: Layout,
    names: Iterable[str],
    needs: Sequence[Need],
    work: Sequence[Work],
) -> list[KeyReport]:
    """Put together what is known of some keys."""
    found = []
    for name in names:
        entry = declared(layout, name)
        found.append(
            KeyReport(
                custodian.state(name),
                entry.purpose if entry else "",
                [need for need in needs if need.key == name],
                [each for each in work if each.key == name],
            )
        )
    return found
