"""What a comparison of a server with the layout finds, and how two settings are compared."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import hvac

from vault.bootstrap.client import patch, read, write

# Shorter is stricter: a live value below ours, but for 0 (no limit), is somebody's decision.
LIMITS = frozenset(
    {"ttl", "max_ttl", "token_period", "token_ttl", "token_max_ttl", "secret_id_ttl"}
)


class ConflictError(Exception):
    """The server holds something of ours as something else; nothing was changed."""


@dataclass(frozen=True)
class Change:
    """One difference: what would be done, the lines that differ, and the doing."""

    what: str
    apply: Callable[[], object]
    diff: tuple[str, ...] = ()


@dataclass
class Findings:
    """Everything that a comparison found.

    changes: in the order in which they can be made.
    conflicts: what stands in the way; with any, nothing is changed.
    drift: ours, but not as written here, and left alone: stricter, or not to be mended.
    strangers: within our reach and not ours; never touched.
    """

    changes: list[Change] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def write(
        self,
        client: hvac.Client,
        what: str,
        path: str,
        body: Mapping[str, Any],
        diff: tuple[str, ...] = (),
    ) -> None:
        """Note that a body is to be sent to a path."""
        self.changes.append(Change(what, lambda: write(client, path, **body), diff))

    def compare(
        self, client: hvac.Client, path: str, wanted: Mapping[str, Any], *, merge: bool = False
    ) -> None:
        """Note what differs at a path between the server's fields and the wanted ones.

        Args:
            client: may read the path.
            path: of an object that a POST writes.
            wanted: the fields that are ours; the others are nobody's business here.
            merge: a POST would reset the fields that it does not name, so PATCH.
        """
        found = read(client, path)
        if found is None:
            lines = tuple(f"+ {name} = {_shown(value)}" for name, value in wanted.items())
            self.write(client, f"write {path}", path, wanted, lines)
            return
        differing, kept = {}, {}
        for name, value in wanted.items():
            live = found.get(name)
            if same(live, value):
                continue
            if name in LIMITS and isinstance(live, int) and 0 < live < (value or live + 1):
                self.drift.append(f"{path}: {name} is {live}, stricter than {value}: kept")
                kept[name] = live
                continue
            differing[name] = value
        if not differing:
            return
        lines = tuple(
            line
            for name, value in differing.items()
            for line in (f"- {name} = {_shown(found.get(name))}", f"+ {name} = {_shown(value)}")
        )
        what = f"change {path}: {', '.join(differing)}"
        if merge:
            self.changes.append(Change(what, lambda: patch(client, path, **differing), lines))
        else:
            self.write(client, what, path, {**wanted, **kept}, lines)


def same(live: object, wanted: object) -> bool:
    """Whether a server's value is the wanted one; the order of a list says nothing."""
    if wanted == [] and live is None:
        return True
    if isinstance(live, list) and isinstance(wanted, list):
        return sorted(map(str, live)) == sorted(map(str, wanted))
    return live == wanted


def text_diff(live: str, wanted: str) -> tuple[str, ...]:
    """The lines in which two texts differ, as a unified diff without its heading."""
    lines = difflib.unified_diff(live.splitlines(), wanted.splitlines(), lineterm="", n=1)
    return tuple(line for line in lines if not line.startswith(("---", "+++")))


def _shown(value: object) -> str:
    if isinstance(value, str) and "BEGIN" in value:
        return "(PEM)"
    return repr(value)
