"""Boxes: what they say of their key, what they are bound to, what they refuse."""

from __future__ import annotations

import base64
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from services.common.envelope import (
    Aad,
    Binding,
    Envelope,
    KeyUse,
    ObjectAad,
    key_used,
    open_,
    seal,
    with_wrapped_key,
    wrapped_key,
)
from services.common.errors import InvalidArgument
from services.common.vault import DataKey
from tests.fakes.vault import FakeVault

NAME = "core/transit/record"


def wrapped(version: int, data: bytes) -> str:
    return f"vault:v{version}:{base64.b64encode(data).decode()}"


KEY = DataKey(bytes(range(32)), wrapped(1, b"w" * 60), NAME)
AAD = Aad("identity_record", b"\x01" * 16, 3)
AADS = st.builds(Aad, st.text(max_size=40), st.binary(max_size=40), st.integers(0, 2**63))
OBJECTS = st.builds(ObjectAad, st.text(max_size=40), st.text(max_size=40), st.integers(0, 2**63))
KEYS = st.builds(
    DataKey,
    st.binary(min_size=32, max_size=32),
    st.builds(wrapped, st.integers(1, 2**32 - 1), st.binary(min_size=1, max_size=200)),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255),
)


def seal_1(datakey: DataKey, plaintext: bytes, aad: Aad) -> bytes:
    """Seal as version 1 did; stores hold such boxes."""
    nonce = b"n" * 12
    text = datakey.wrapped.encode()
    covered = b"IDM\x01\x01" + aad.to_bytes()
    body = AESGCM(datakey.plaintext).encrypt(nonce, plaintext, covered)
    return b"IDM\x01\x01" + struct.pack(">H", len(text)) + text + nonce + body


def reason_of(sealed: bytes, aad: Binding = AAD) -> str:
    with pytest.raises(InvalidArgument) as refused:
        open_(KEY.plaintext, sealed, aad)
    return refused.value.reason


@given(KEYS, st.binary(max_size=5000), AADS | OBJECTS)
def test_what_was_sealed_opens_to_the_same(
    key: DataKey, plaintext: bytes, aad: Aad | ObjectAad
) -> None:
    sealed = seal(key, plaintext, aad)
    assert wrapped_key(sealed) == key.wrapped
    assert key_used(sealed).name == key.key
    assert open_(key.plaintext, sealed, aad) == plaintext


def test_a_box_has_the_documented_bytes() -> None:
    sealed = seal(KEY, b"name", AAD)
    head = b"IDM\x02\x01\x01" + struct.pack(">IHB", 1, 60, len(NAME)) + NAME.encode() + b"w" * 60
    assert sealed.startswith(head)
    assert len(sealed) == len(head) + 12 + len(b"name") + 16
    nonce, body = sealed[len(head) : len(head) + 12], sealed[len(head) + 12 :]
    covered = b"IDM\x02\x01\x01" + bytes([len(NAME)]) + NAME.encode() + AAD.to_bytes()
    assert AESGCM(KEY.plaintext).decrypt(nonce, body, covered) == b"name"


@pytest.mark.parametrize("make", [seal, seal_1])
@pytest.mark.parametrize(
    "other",
    [
        Aad("document", AAD.record, AAD.version),
        Aad(AAD.table, b"\x02" * 16, AAD.version),
        Aad(AAD.table, AAD.record, 4),
        Aad(AAD.table + "\x01", AAD.record[1:], AAD.version),
    ],
)
def test_a_box_opens_in_its_own_place_only(make: object, other: Aad) -> None:
    assert callable(make)
    assert reason_of(make(KEY, b"name", AAD), other) == "ENVELOPE_REFUSED"


def test_a_box_opens_in_its_own_kind_of_place_only() -> None:
    other = ObjectAad(AAD.table, AAD.record.decode(), AAD.version)
    assert other.to_bytes() == AAD.to_bytes()
    for sealed in (seal(KEY, b"name", AAD), seal_1(KEY, b"name", AAD)):
        assert reason_of(sealed, other) == "ENVELOPE_BOUND_OTHERWISE"
    # Nor where the definition is rewritten with it.
    forged = bytearray(seal(KEY, b"name", AAD))
    forged[5] = ObjectAad.definition
    assert reason_of(bytes(forged), other) == "ENVELOPE_REFUSED"


@given(AADS | OBJECTS, AADS | OBJECTS)
def test_different_bindings_never_look_the_same(one: Aad | ObjectAad, two: Aad | ObjectAad) -> None:
    assert ((one.definition, one.to_bytes()) == (two.definition, two.to_bytes())) == (one == two)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (0, ord("X"), "ENVELOPE_NOT_SEALED"),
        (2, ord("X"), "ENVELOPE_NOT_SEALED"),
        (3, 0, "ENVELOPE_VERSION_UNKNOWN"),
        (3, 3, "ENVELOPE_VERSION_UNKNOWN"),
        (4, 0, "ENVELOPE_ALGORITHM_UNKNOWN"),
        (4, 3, "ENVELOPE_ALGORITHM_UNKNOWN"),
        (5, 0, "ENVELOPE_BOUND_OTHERWISE"),
        (5, 200, "ENVELOPE_BOUND_OTHERWISE"),
        (9, 0, "ENVELOPE_MALFORMED"),  # key version 0
        (10, 0xFF, "ENVELOPE_TRUNCATED"),  # length of the wrapped key
        (11, 0, "ENVELOPE_MALFORMED"),
        (12, 0, "ENVELOPE_MALFORMED"),  # length of the key's name
        (12, 0xFF, "ENVELOPE_TRUNCATED"),
        (13, 0x07, "ENVELOPE_MALFORMED"),
        (13, ord("d"), "ENVELOPE_REFUSED"),  # the name itself
    ],
)
def test_each_field_of_the_header_is_refused_for_its_own_reason(
    at: int, value: int, reason: str
) -> None:
    sealed = bytearray(seal(KEY, b"name", AAD))
    sealed[at] = value
    assert reason_of(bytes(sealed)) == reason


async def test_every_changed_bit_is_noticed() -> None:
    vault = FakeVault()
    for make in (seal, seal_1):
        sealed = make(await vault.datakey(NAME), b"name", AAD)
        assert await Envelope(vault, NAME).open(sealed, AAD) == b"name"
        for place in range(8 * len(sealed)):
            changed = bytearray(sealed)
            changed[place // 8] ^= 1 << place % 8
            with pytest.raises(InvalidArgument):
                await Envelope(vault, NAME).open(bytes(changed), AAD)


async def test_a_box_cut_anywhere_or_longer_is_refused() -> None:
    vault = FakeVault()
    for make in (seal, seal_1):
        sealed = make(await vault.datakey(NAME), b"name", AAD)
        for end in range(len(sealed)):
            with pytest.raises(InvalidArgument) as refused:
                await Envelope(vault, NAME).open(sealed[:end], AAD)
            assert refused.value.reason in ("ENVELOPE_TRUNCATED", "ENVELOPE_REFUSED")
        for more in (b"\0", bytes(16), sealed):
            with pytest.raises(InvalidArgument) as refused:
                await Envelope(vault, NAME).open(sealed + more, AAD)
            assert refused.value.reason == "ENVELOPE_REFUSED"


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for head in (b"", b"IDM\x01\x01", b"IDM\x02\x01", b"IDM\x02\x01\x01\0\0\0\x01\0\x01\x01kw"):
        with pytest.raises(InvalidArgument):
            open_(KEY.plaintext, head + data, AAD)


def test_rotation_replaces_the_wrapped_key_alone() -> None:
    longer = wrapped(7, b"another, longer form" * 4)
    for make in (seal, seal_1):
        sealed = make(KEY, b"name", AAD)
        rotated = with_wrapped_key(sealed, longer)
        assert wrapped_key(rotated) == longer
        assert rotated[3] == sealed[3]
        assert open_(KEY.plaintext, rotated, AAD) == b"name"
        assert with_wrapped_key(rotated, KEY.wrapped) == sealed


def test_a_box_names_the_key_and_the_version_that_opens_it() -> None:
    sealed, old = seal(KEY, b"name", AAD), seal_1(KEY, b"name", AAD)
    assert key_used(sealed) == KeyUse(NAME, 1)
    assert key_used(old) == KeyUse("", 1)
    newer = wrapped(2**32 - 1, b"x")
    assert key_used(with_wrapped_key(sealed, newer)) == KeyUse(NAME, 2**32 - 1)
    assert key_used(with_wrapped_key(old, newer)) == KeyUse("", 2**32 - 1)


@pytest.mark.parametrize(
    "text",
    ["", "vault:v1:", "vault:v0:AAAA", "vault:v1:AAA", "vault:v1:AB==", "vault:v01:AAAA",
     "vault:v4294967296:AAAA", "other:v1:AAAA", "vault:1:AAAA", "vault:v1:AA-_", " vault:v1:AAAA"],
)  # fmt: skip
def test_what_vault_does_not_write_is_no_wrapped_key(text: str) -> None:
    with pytest.raises(ValueError, match="wrapped"):
        seal(DataKey(KEY.plaintext, text, NAME), b"name", AAD)
    with pytest.raises(ValueError, match="wrapped"):
        with_wrapped_key(seal(KEY, b"name", AAD), text)


@pytest.mark.parametrize("name", ["", "a b", "é", "x" * 256])
def test_a_box_without_the_name_of_its_key_is_not_made(name: str) -> None:
    with pytest.raises(ValueError, match="MOUNT/NAME"):
        seal(DataKey(KEY.plaintext, KEY.wrapped, name), b"name", AAD)


def test_a_version_1_box_whose_wrapped_key_is_none_says_no_version() -> None:
    sealed = seal_1(DataKey(KEY.plaintext, "vault:vx:AAAA", NAME), b"name", AAD)
    with pytest.raises(InvalidArgument) as refused:
        key_used(sealed)
    assert refused.value.reason == "ENVELOPE_MALFORMED"


def test_a_data_key_does_not_show_its_plaintext() -> None:
    assert "wrapped" in repr(KEY)
    assert repr(KEY.plaintext) not in repr(KEY)


async def test_each_box_has_a_key_of_its_own_and_opens_after_rotation() -> None:
    vault = FakeVault()
    records = Envelope(vault, NAME)
    one, two = await records.seal(b"one", AAD), await records.seal(b"two", AAD)
    assert wrapped_key(one) != wrapped_key(two)
    await vault.rotate_key(NAME)
    [anew] = await vault.rewrap(NAME, [wrapped_key(one)])
    rotated = with_wrapped_key(one, anew)
    assert (key_used(one).version, key_used(rotated).version) == (1, 2)
    assert await records.open(rotated, AAD) == b"one"
    assert await records.open(two, AAD) == b"two"


async def test_a_box_under_another_key_is_not_taken_to_vault() -> None:
    vault = FakeVault()
    sealed = await Envelope(vault, "core/transit/case").seal(b"one", AAD)
    with pytest.raises(InvalidArgument) as refused:
        await Envelope(vault, NAME).open(sealed, AAD)
    assert refused.value.reason == "ENVELOPE_OF_ANOTHER_KEY"
    assert [method for method, _ in vault.calls] == ["datakey"]
