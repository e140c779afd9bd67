"""The tree's arithmetic against the definition's own recursion and published vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.tlog import merkle

# The inputs and roots of Certificate Transparency's reference tests, for sizes 1 to 8.
VECTOR_ENTRIES = [
    bytes.fromhex(each)
    for each in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
VECTOR_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
SIZES = st.integers(1, 600)


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = naive_root(leaves[:half]), naive_root(leaves[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def hashes(tree: Sequence[bytes], path: Sequence[merkle.Range]) -> list[bytes]:
    return [naive_root(tree[start:end]) for start, end in path]


def test_roots_are_those_of_the_published_vectors() -> None:
    assert merkle.root_of([]) == hashlib.sha256(b"").digest()
    tree = [merkle.leaf_hash(entry) for entry in VECTOR_ENTRIES]
    for size, root in enumerate(VECTOR_ROOTS, start=1):
        assert merkle.root_of(tree[:size]).hex() == root


@given(SIZES)
def test_the_root_is_that_of_the_definition(size: int) -> None:
    tree = leaves(size)
    assert merkle.root_of(tree) == naive_root(tree)
    parts = merkle.perfect_parts(0, size)
    assert merkle.fold(hashes(tree, parts)) == naive_root(tree)


@given(SIZES, st.data())
def test_an_inclusion_proof_leads_to_the_root_and_no_other_leaf_or_place_does(
    size: int, data: st.DataObject
) -> None:
    tree, root = leaves(size), naive_root(leaves(size))
    index = data.draw(st.integers(0, size - 1))
    path = hashes(tree, merkle.inclusion_path(index, size))
    assert merkle.root_from_inclusion(tree[index], index, size, path) == root
    assert merkle.root_from_inclusion(b"\0" * 32, index, size, path) != root
    other = data.draw(st.integers(0, size))
    if other != index:
        assert merkle.root_from_inclusion(tree[index], other, size, path) != root
    assert merkle.root_from_inclusion(tree[index], index, size, [*path, root]) is None
    if path:
        assert merkle.root_from_inclusion(tree[index], index, size, path[:-1]) != root


@given(SIZES, st.data())
def test_a_consistency_proof_holds_for_the_two_trees_and_for_no_forked_one(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, new))
    tree = leaves(new)
    old_root, new_root = merkle.root_of(tree[:old]), naive_root(tree)
    path = hashes(tree, merkle.consistency_path(old, new))
    assert merkle.is_consistent(old, new, old_root, new_root, path)
    forked = b"\xff" * 32
    assert not merkle.is_consistent(old, new, forked, new_root, path)
    assert not merkle.is_consistent(old, new, old_root, new_root, [*path, forked])
    if old:
        assert not merkle.is_consistent(old, new, old_root, forked, path)
    if path:
        assert not merkle.is_consistent(old, new, old_root, new_root, path[:-1])


def test_what_is_no_tree_is_refused() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(ValueError, match="no leaf"):
            merkle.inclusion_path(index, size)
    with pytest.raises(ValueError, match="does not extend"):
        merkle.consistency_path(4, 3)
    assert not merkle.is_consistent(4, 3, b"", b"", [b"\0" * 32])
