"""In which order the services of one process stop."""

from __future__ import annotations

from collections.abc import Mapping


def drain_order(peers: Mapping[str, set[str]]) -> list[list[str]]:
    """Return groups of services, callers before those they call.

    Args:
        peers: each service of the process and the services that it calls, in it or elsewhere.

    Services that call each other in a circle come together, after those that call them.
    """
    left = dict(peers)
    groups: list[list[str]] = []
    while left:
        called = {peer for name, called in left.items() for peer in called if peer != name}
        group = [name for name in left if name not in called] or list(left)
        groups.append(group)
        for name in group:
            del left[name]
    return groups
