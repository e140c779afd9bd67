"""In which order the services of one process stop."""

from __future__ import annotations

from collections.abc import Mapping


def drain_order(peers: Mapping[str, set[str]]) -> list[list[str]]:
    """Return groups of services, callers before those they call.

    Args:
        peers: each service of the process and the services that it calls, in it or elsewhere.

    Services that call each other in a circle stop together.
    """
    reached = {name: _reached(name, peers) for name in peers}
    left = list(peers)
    groups: list[list[str]] = []
    while left:
        # Whoever still calls them is called by them too, hence in the same circle.
        group = [
            name
            for name in left
            if all(other in reached[name] for other in left if name in reached[other])
        ]
        groups.append(group)
        left = [name for name in left if name not in group]
    return groups


def _reached(name: str, peers: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    pending = list(peers[name])
    while pending:
        present = pending.pop()
        if present not in seen:
            seen.add(present)
            pending += peers.get(present, ())
    return seen
