"""Streams: every way to take one apart is refused, each for its own reason."""

from __future__ import annotations

import base64
import itertools
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.envelope import (
    Aad,
    Binding,
    KeyUse,
    ObjectAad,
    open_stream,
    open_stream_async,
    seal,
    seal_stream,
    seal_stream_async,
    stream_key_used,
    with_wrapped_stream_key,
)
from services.common.envelope.chunks import MAX_CHUNK_BYTES
from services.common.errors import InvalidArgument
from services.common.vault import DataKey

NAME = "core/transit/bio-reference"
WRAPPED = "vault:v3:" + base64.b64encode(b"w" * 60).decode()
KEY = DataKey(bytes(range(32)), WRAPPED, NAME)
AAD = ObjectAad("snapshots", "one", 0)
START = 13 + len(NAME) + 60 + 32
CHUNK = 10


def unwrap(key: KeyUse, wrapped: str) -> bytes:
    assert (key, wrapped) == (KeyUse(NAME, 3), WRAPPED)
    return KEY.plaintext


def sealed_of(plaintext: bytes, chunk_bytes: int = CHUNK) -> bytes:
    return b"".join(seal_stream(KEY, [plaintext], AAD, chunk_bytes=chunk_bytes))


def opened(sealed: bytes, aad: Binding = AAD) -> bytes:
    return b"".join(open_stream([sealed], aad, unwrap))


def reason_of(sealed: bytes, aad: Binding = AAD) -> str:
    with pytest.raises(InvalidArgument) as refused:
        opened(sealed, aad)
    return refused.value.reason


def parts(sealed: bytes) -> tuple[bytes, list[bytes]]:
    """Return header and salt, then each chunk."""
    rest, chunks = sealed[START:], []
    while rest:
        length = int.from_bytes(rest[4:8], "big") & 0x7FFFFFFF
        chunks.append(rest[: 8 + length + 16])
        rest = rest[8 + length + 16 :]
    return sealed[:START], chunks


def cut(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    for size in itertools.cycle(sizes):
        if not data:
            return
        yield data[:size]
        data = data[size:]


PIECES = st.lists(st.integers(1, 50), min_size=1, max_size=5)


@given(st.binary(max_size=300), st.integers(1, 40), PIECES, PIECES)
def test_a_stream_opens_to_what_was_sealed_however_it_is_cut(
    plaintext: bytes, chunk_bytes: int, before: list[int], after: list[int]
) -> None:
    pieces = cut(plaintext, before)
    sealed = b"".join(seal_stream(KEY, pieces, AAD, chunk_bytes=chunk_bytes))
    assert b"".join(open_stream(cut(sealed, after), AAD, unwrap)) == plaintext


async def test_a_stream_is_sealed_and_opened_beside_the_loop() -> None:
    async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
        for piece in cut(data, [size]):
            yield piece

    async def unwrapped(key: KeyUse, wrapped: str) -> bytes:
        return unwrap(key, wrapped)

    plaintext = bytes(range(256)) * 3
    sealing = seal_stream_async(KEY, pieces(plaintext, 33), AAD, chunk_bytes=100)
    sealed = b"".join([part async for part in sealing])
    assert opened(sealed) == plaintext
    opening = open_stream_async(pieces(sealed, 77), AAD, unwrapped)
    assert b"".join([part async for part in opening]) == plaintext
    with pytest.raises(InvalidArgument) as refused:
        [part async for part in open_stream_async(pieces(sealed[:-1], 77), AAD, unwrapped)]
    assert refused.value.reason == "ENVELOPE_TRUNCATED"


def test_the_chunks_are_as_documented() -> None:
    _, chunks = parts(sealed_of(b"x" * 25))
    heads = [(int.from_bytes(c[:4], "big"), int.from_bytes(c[4:8], "big")) for c in chunks]
    assert heads == [(0, 10), (1, 10), (2, 5 | 1 << 31)]
    # A whole chunk at the end is the last, not followed by an empty one; nothing has one chunk.
    assert len(parts(sealed_of(b"x" * 20))[1]) == 2
    assert len(parts(sealed_of(b""))[1]) == 1


def test_a_stream_cut_anywhere_is_truncated() -> None:
    sealed = sealed_of(b"x" * 25)
    for end in range(len(sealed)):
        assert reason_of(sealed[:end]) == "ENVELOPE_TRUNCATED"


def test_a_stream_without_its_last_chunks_is_truncated() -> None:
    start, chunks = parts(sealed_of(b"x" * 45))
    for kept in range(len(chunks)):
        assert reason_of(start + b"".join(chunks[:kept])) == "ENVELOPE_TRUNCATED"


def test_a_chunk_that_is_made_the_last_is_refused() -> None:
    start, chunks = parts(sealed_of(b"x" * 45))
    forged = bytearray(chunks[1])
    forged[4] |= 0x80
    assert reason_of(start + chunks[0] + bytes(forged)) == "ENVELOPE_REFUSED"


def test_swapped_left_out_and_repeated_chunks_have_reasons_of_their_own() -> None:
    start, chunks = parts(sealed_of(b"x" * 45))
    for at in range(len(chunks) - 1):
        before, one, two, after = chunks[:at], chunks[at], chunks[at + 1], chunks[at + 2 :]
        swapped = b"".join([start, *before, two, one, *after])
        left_out = b"".join([start, *before, two, *after])
        repeated = b"".join([start, *before, one, one, two, *after])
        assert reason_of(swapped) == reason_of(left_out) == "ENVELOPE_OUT_OF_ORDER"
        assert reason_of(repeated) == "ENVELOPE_REPEATED"


def test_a_chunk_under_another_number_is_refused() -> None:
    start, chunks = parts(sealed_of(b"x" * 45))
    renumbered = chunks[2][:3] + b"\x01" + chunks[2][4:]
    assert reason_of(b"".join([start, chunks[0], renumbered, *chunks[2:]])) == "ENVELOPE_REFUSED"


def test_a_chunk_of_another_stream_under_the_same_data_key_is_refused() -> None:
    start, chunks = parts(sealed_of(b"x" * 25))
    _, others = parts(sealed_of(b"y" * 25))
    assert reason_of(b"".join([start, chunks[0], others[1], chunks[2]])) == "ENVELOPE_REFUSED"


def test_a_stream_that_goes_on_is_refused_also_when_more_comes_later() -> None:
    sealed = sealed_of(b"x" * 25)
    _, chunks = parts(sealed)
    for more in (b"\0", chunks[0], chunks[-1], sealed):
        assert reason_of(sealed + more) == "ENVELOPE_EXTENDED"
        with pytest.raises(InvalidArgument) as refused:
            list(open_stream([sealed, more], AAD, unwrap))
        assert refused.value.reason == "ENVELOPE_EXTENDED"


def test_every_changed_bit_is_noticed() -> None:
    def of_vault(key: KeyUse, wrapped: str) -> bytes:
        # Vault opens what it wrapped, with the version that wrapped it; else nothing.
        if (key, wrapped) != (KeyUse(NAME, 3), WRAPPED):
            raise InvalidArgument("CIPHERTEXT_REFUSED", "Not wrapped by this key.")
        return KEY.plaintext

    sealed = sealed_of(b"x" * 25)
    assert b"".join(open_stream([sealed], AAD, of_vault)) == b"x" * 25
    for place in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(InvalidArgument):
            list(open_stream([bytes(changed)], AAD, of_vault))


@pytest.mark.parametrize(
    "other",
    [ObjectAad("snapshots", "one", 1), ObjectAad("snapshots", "two", 0), ObjectAad("s", "one", 0)],
)
def test_a_stream_opens_in_its_own_place_only(other: Binding) -> None:
    assert reason_of(sealed_of(b"x" * 25), other) == "ENVELOPE_REFUSED"


def test_streams_boxes_and_kinds_of_places_are_not_taken_for_each_other() -> None:
    assert reason_of(sealed_of(b"x"), Aad("snapshots", b"one", 0)) == "ENVELOPE_BOUND_OTHERWISE"
    assert reason_of(seal(KEY, b"x", AAD)) == "ENVELOPE_ALGORITHM_UNKNOWN"
    assert reason_of(b"plain") == "ENVELOPE_NOT_SEALED"
    assert reason_of(b"IDM\x01" + sealed_of(b"x")[4:]) == "ENVELOPE_VERSION_UNKNOWN"


def test_a_chunk_that_would_not_fit_in_memory_is_refused_by_its_head() -> None:
    start, _ = parts(sealed_of(b""))
    head = bytes(4) + (MAX_CHUNK_BYTES + 1).to_bytes(4, "big")
    assert reason_of(start + head) == "ENVELOPE_CHUNK_TOO_LARGE"


def test_what_was_verified_is_given_before_what_follows_is_read() -> None:
    sealed = sealed_of(b"x" * 25)
    opening = open_stream([sealed[:-1], b""], AAD, unwrap)
    assert next(opening) + next(opening) == b"x" * 20
    with pytest.raises(InvalidArgument):
        next(opening)


def test_a_stream_is_rotated_by_its_header_alone() -> None:
    sealed = sealed_of(b"x" * 25)
    anew = "vault:v12:" + base64.b64encode(b"another" * 20).decode()
    head, length = with_wrapped_stream_key(sealed[:500], anew)
    rotated = head + sealed[length:]
    assert (stream_key_used(sealed), stream_key_used(rotated)) == (
        KeyUse(NAME, 3),
        KeyUse(NAME, 12),
    )
    asked: list[tuple[KeyUse, str]] = []

    def unwrapped(key: KeyUse, wrapped: str) -> bytes:
        asked.append((key, wrapped))
        return KEY.plaintext

    assert b"".join(open_stream([rotated], AAD, unwrapped)) == b"x" * 25
    assert asked == [(KeyUse(NAME, 12), anew)]


def test_memory_does_not_grow_with_the_stream() -> None:
    chunk = 1 << 16

    def peak(pieces: int) -> int:
        tracemalloc.start()
        plain = (bytes(chunk // 4) for _ in range(pieces * 4))
        stream = seal_stream(KEY, plain, AAD, chunk_bytes=chunk)
        total = sum(len(part) for part in open_stream(stream, AAD, unwrap))
        assert total == pieces * chunk
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(64) < peak(4) + chunk


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for start in (b"", b"IDM\x02\x02\x02", sealed_of(b"")[:START]):
        with pytest.raises(InvalidArgument):
            list(open_stream([start + data], AAD, unwrap))
