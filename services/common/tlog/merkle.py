"""Merkle trees: hashes, which nodes a proof is made of, and what a proof proves.

A tree's nodes are named by ranges of leaves, [start, end). Source: RFC 6962, 2.1, and RFC 9162,
2.1, whose numbers stand at the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

Range = tuple[int, int]


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its children."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over hashes of leaves, or of perfect subtrees of one size.

    Level by level, the odd one out carried up: the same tree as RFC 9162's halving (2.1.1).
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def perfect_parts(start: int, end: int) -> list[Range]:
    """Return the perfect subtrees that [start, end) consists of, from left to right.

    Source: the tree's own shape; see fold for the way back.
    """
    parts = []
    while start < end:
        size = 1 << ((end - start).bit_length() - 1)
        parts.append((start, start + size))
        start += size
    return parts


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a range from those of its perfect parts, from left to right."""
    above = hashes[-1]
    for left in reversed(hashes[:-1]):
        above = node_hash(left, above)
    return above


def inclusion_path(index: int, size: int) -> list[Range]:
    """Return the nodes of an inclusion proof, from the leaf up (2.1.3.1).

    Raises:
        ValueError: no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, new: int) -> list[Range]:
    """Return the nodes of a consistency proof (2.1.4.1); none from or to the same size, or from 0.

    Raises:
        ValueError: the old tree is the larger one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not extend one of {old}")
    if old in (0, new):
        return []
    path = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, whole = middle, False
    if not whole:
        path.append((start, end))
    return path[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a proof leads to from a leaf's hash; None: it is no proof (2.1.3.2)."""
    if not 0 <= index < size:
        return None
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0 or len(sibling) != HASH_BYTES:
            return None
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Tell whether a proof shows that the new tree begins with the old one (2.1.4.2)."""
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    if old > new or old < 0 or not path or any(len(each) != HASH_BYTES for each in path):
        return False
    nodes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, node)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(count: int) -> int:
    """Return the largest power of two below count, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)
