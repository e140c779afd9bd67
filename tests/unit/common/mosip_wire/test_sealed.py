"""MOSIP's three framings, and its two symmetric ones, byte by byte."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from services.common.mosip_wire import sealed
from services.common.mosip_wire.attribute_sealed import (
    open_pool_sealed,
    open_with_pin,
    parse_pool_sealed,
    seal_with_pin,
    seal_with_pool,
)
from services.common.mosip_wire.sealed import Sealed, SealedError
from tests.unit.common.mosip_wire.conftest import Holder, holder

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
KEY, AAD, NONCE = bytes(range(32)), b"what both sides know", b"n" * 12
SPLITTER = b"#KEY_SPLITTER#"
Opens = Callable[[Sealed, bytes], bytes]


def framed(data: bytes, *, version: bytes = b"", wrapped_bytes: int = 256) -> bytes:
    return version + b"t" * 32 + b"w" * wrapped_bytes + SPLITTER + data


def with_aad(opened: Sealed, key: bytes) -> bytes:
    return sealed.open_with_aad(opened, key, AAD)


def with_nonce(opened: Sealed, key: bytes) -> bytes:
    return sealed.open_with_nonce(opened, key, NONCE, AAD)


def a_versioned(plaintext: bytes) -> bytes:
    aad = b"0123456789ab" + b"a" * 20
    body = AESGCM(KEY).encrypt(aad[:12], plaintext, aad)
    return framed(aad + body, version=b"VER_R2")


def an_aad_given(plaintext: bytes) -> bytes:
    iv = b"i" * 16
    return framed(AESGCM(KEY).encrypt(iv, plaintext, AAD) + iv)


def a_nonce_given(plaintext: bytes) -> bytes:
    return framed(AESGCM(KEY).encrypt(NONCE, plaintext, AAD))


FRAMINGS: list[tuple[Callable[[bytes], bytes], Opens]] = [
    (a_versioned, sealed.open_versioned),
    (an_aad_given, with_aad),
    (a_nonce_given, with_nonce),
]


def reason_of(act: Callable[[], object]) -> str:
    with pytest.raises(SealedError) as refused:
        act()
    return refused.value.reason


@pytest.mark.parametrize("framing", [0, 1, 2])
@given(plaintext=st.binary(max_size=1000))
def test_what_mosip_s_description_gives_is_read(framing: int, plaintext: bytes) -> None:
    make, opens = FRAMINGS[framing]
    parts = sealed.parse(make(plaintext))
    assert (parts.versioned, parts.thumbprint) == (framing == 0, b"t" * 32)
    assert parts.wrapped_key == b"w" * 256
    assert opens(parts, KEY) == plaintext
    text = base64.urlsafe_b64encode(make(plaintext)).decode().rstrip("=")
    assert sealed.to_text(make(plaintext)) == text
    assert sealed.parse_text(text) == parts


def test_what_is_written_is_as_mosip_s_description_has_it(platform: Holder) -> None:
    thumbprint = hashlib.sha256(platform.certificate.public_bytes(Encoding.DER)).digest()

    def session_key_at(data: bytes, start: int) -> bytes:
        assert data[start - 32 : start] == thumbprint
        assert data[start + 256 : start + 270] == SPLITTER
        return platform.rsa_key.decrypt(data[start : start + 256], OAEP)

    data = sealed.seal_versioned(b"plain", platform.certificate)
    assert data.startswith(b"VER_R2")
    aad, body = data[308:340], data[340:]
    assert AESGCM(session_key_at(data, 38)).decrypt(aad[:12], body, aad) == b"plain"

    data = sealed.seal_with_aad(b"plain", platform.certificate, AAD)
    iv, body = data[-16:], data[302:-16]
    assert AESGCM(session_key_at(data, 32)).decrypt(iv, body, AAD) == b"plain"

    data = sealed.seal_with_nonce(b"plain", platform.certificate, NONCE, AAD)
    assert AESGCM(session_key_at(data, 32)).decrypt(NONCE, data[302:], AAD) == b"plain"


@pytest.mark.parametrize("bits", [2048, 3072])
def test_what_is_written_is_read(bits: int) -> None:
    mine = holder("receiver", rsa.generate_private_key(65537, bits))
    certificate = mine.certificate
    written: list[tuple[bytes, Opens]] = [
        (sealed.seal_versioned(b"plain", certificate), sealed.open_versioned),
        (sealed.seal_with_aad(b"plain", certificate, AAD), with_aad),
        (sealed.seal_with_nonce(b"plain", certificate, NONCE, AAD), with_nonce),
    ]
    for data, opens in written:
        parts = sealed.parse_text(sealed.to_text(data))
        assert parts.thumbprint == sealed.thumbprint_of(certificate)
        key = sealed.unwrap_session_key(parts.wrapped_key, mine.rsa_key)
        assert opens(parts, key) == b"plain"


def test_keys_of_other_sizes_are_not_sealed_for(holders: dict[str, Holder]) -> None:
    small = holder("small", rsa.generate_private_key(65537, 1024))
    for certificate in (small.certificate, holders["ES256"].certificate):
        with pytest.raises(ValueError, match="2048 or 3072"):
            sealed.seal_versioned(b"x", certificate)


def test_a_splitter_in_the_data_is_data() -> None:
    for make, opens in FRAMINGS:
        plaintext = SPLITTER * 3
        assert opens(sealed.parse(make(plaintext)), KEY) == plaintext
    # Also as the first bytes of the data part, where only the ciphertext decides.
    parts = sealed.parse(framed(SPLITTER + bytes(40)))
    assert parts.data == SPLITTER + bytes(40)


@pytest.mark.parametrize(("make", "opens"), FRAMINGS)
def test_data_cut_anywhere_is_refused(make: Callable[[bytes], bytes], opens: Opens) -> None:
    data = make(b"")
    for end in range(len(data)):
        short = data[:end]
        reason = reason_of(lambda short=short: opens(sealed.parse(short), KEY))  # type: ignore[misc]
        assert reason in ("TRUNCATED", "SPLITTER_MISSING", "DECRYPT_FAILED")
    for more in (b"\0", data):
        longer = data + more
        assert reason_of(lambda longer=longer: opens(sealed.parse(longer), KEY)) == "DECRYPT_FAILED"  # type: ignore[misc]


@pytest.mark.parametrize(("make", "opens"), FRAMINGS)
def test_every_changed_byte_of_the_data_is_noticed(
    make: Callable[[bytes], bytes], opens: Opens
) -> None:
    data = make(b"plain")
    start = data.index(SPLITTER)
    for place in range(start, len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        reason = reason_of(lambda changed=changed: opens(sealed.parse(bytes(changed)), KEY))  # type: ignore[misc]
        missing = place < start + len(SPLITTER)
        assert reason == ("SPLITTER_MISSING" if missing else "DECRYPT_FAILED")


def test_another_aad_nonce_key_or_framing_is_refused() -> None:
    behind, given, versioned = (
        sealed.parse(make(b"plain")) for make in (an_aad_given, a_nonce_given, a_versioned)
    )
    assert reason_of(lambda: sealed.open_with_aad(behind, KEY, b"other")) == "DECRYPT_FAILED"
    assert reason_of(lambda: sealed.open_with_nonce(given, KEY, NONCE, b"")) == "DECRYPT_FAILED"
    other = b"m" * 12
    assert reason_of(lambda: sealed.open_with_nonce(given, KEY, other, AAD)) == "DECRYPT_FAILED"
    assert reason_of(lambda: sealed.open_versioned(versioned, bytes(32))) == "DECRYPT_FAILED"
    assert reason_of(lambda: sealed.open_versioned(versioned, b"short")) == "SESSION_KEY_INVALID"
    assert reason_of(lambda: sealed.open_versioned(given, KEY)) == "FRAMING_MISMATCH"
    assert reason_of(lambda: with_aad(versioned, KEY)) == "FRAMING_MISMATCH"
    assert reason_of(lambda: with_nonce(versioned, KEY)) == "FRAMING_MISMATCH"
    longer = sealed.parse(a_nonce_given(bytes(40)))
    assert reason_of(lambda: with_aad(longer, KEY)) == "DECRYPT_FAILED"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "TRUNCATED"),
        (bytes(400), "SPLITTER_MISSING"),
        (framed(bytes(16), wrapped_bytes=128), "KEY_PART_MALFORMED"),
        (framed(bytes(16), wrapped_bytes=257), "KEY_PART_MALFORMED"),
        (framed(bytes(48), version=b"VER_R1"), "VERSION_UNKNOWN"),
        (framed(bytes(47), version=b"VER_R2"), "TRUNCATED"),
        (framed(bytes(15)), "TRUNCATED"),
        (bytes(500) + SPLITTER + bytes(100), "SPLITTER_MISSING"),
    ],
)
def test_what_is_no_sealed_data_is_refused_for_its_reason(data: bytes, reason: str) -> None:
    assert reason_of(lambda: sealed.parse(data)) == reason


def test_data_over_the_limit_is_refused_before_it_is_looked_at() -> None:
    data = a_versioned(b"plain")
    assert reason_of(lambda: sealed.parse(data, len(data) - 1)) == "TOO_LARGE"
    assert reason_of(lambda: sealed.parse_text(b"!" * 600, 400)) == "TOO_LARGE"
    assert reason_of(lambda: sealed.parse_text(b"!" * 500, 400)) == "NOT_BASE64"
    assert sealed.parse(data, len(data)).versioned


def test_what_precedes_is_the_caller_s() -> None:
    data = a_nonce_given(b"plain")
    assert sealed.parse(SPLITTER * 3 + data, offset=3 * len(SPLITTER)) == sealed.parse(data)


@given(st.binary(max_size=500))
def test_arbitrary_bytes_are_parts_or_refused(data: bytes) -> None:
    for more in (b"", b"VER_R2" + bytes(288) + SPLITTER, bytes(288) + SPLITTER):
        try:
            parts = sealed.parse(more + data)
        except SealedError:
            continue
        assert reason_of(lambda parts=parts: with_nonce(parts, KEY)) in (  # type: ignore[misc]
            "DECRYPT_FAILED",
            "FRAMING_MISMATCH",
        )


@given(st.binary(max_size=200), st.text(max_size=12))
def test_what_a_pin_seals_it_opens(plaintext: bytes, pin: str) -> None:
    text = seal_with_pin(plaintext, pin, iterations=2)
    assert open_with_pin(text, pin, iterations=2) == plaintext
    assert reason_of(lambda: open_with_pin(text, pin + "1", iterations=2)) == "DECRYPT_FAILED"


def test_a_pin_s_seal_is_as_mosip_s_description_has_it() -> None:
    salt, nonce = b"s" * 32, b"n" * 12
    key = hashlib.pbkdf2_hmac("sha512", b"123456", salt, 100_000, 32)
    body = AESGCM(key).encrypt(nonce, b"plain", salt)
    text = base64.urlsafe_b64encode(salt + nonce + body)
    assert open_with_pin(text, "123456") == b"plain"
    for place in range(0, len(salt + nonce + body), 7):
        changed = bytearray(salt + nonce + body)
        changed[place] ^= 1
        coded = base64.urlsafe_b64encode(bytes(changed))
        assert reason_of(lambda coded=coded: open_with_pin(coded, "123456")) == "DECRYPT_FAILED"  # type: ignore[misc]
    assert reason_of(lambda: open_with_pin("AAAA", "1")) == "TRUNCATED"
    assert reason_of(lambda: open_with_pin("!", "1")) == "NOT_BASE64"


def test_a_pool_s_seal_is_as_mosip_s_description_has_it() -> None:
    pool_key = b"p" * 32
    encryptor = Cipher(algorithms.AES(pool_key), modes.ECB()).encryptor()
    key = encryptor.update(hashlib.sha256(b"5678123409").digest())
    nonce, aad = b"n" * 12, b"a" * 32
    data = b"\0\0\x27\x0f" + nonce + aad + AESGCM(key).encrypt(nonce, b"plain", aad)
    parts = parse_pool_sealed(base64.urlsafe_b64encode(data))
    assert (parts.number, parts.nonce, parts.aad) == (9999, nonce, aad)
    assert open_pool_sealed(parts, pool_key, "5678123409") == b"plain"
    assert reason_of(lambda: open_pool_sealed(parts, pool_key, "5678123408")) == "DECRYPT_FAILED"
    assert reason_of(lambda: open_pool_sealed(parts, b"short", "1")) == "SESSION_KEY_INVALID"
    assert reason_of(lambda: parse_pool_sealed("AAAA")) == "TRUNCATED"


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1), st.text(max_size=12))
def test_what_a_pool_seals_it_opens(plaintext: bytes, number: int, identifier: str) -> None:
    parts = parse_pool_sealed(seal_with_pool(plaintext, number, KEY, identifier))
    assert parts.number == number
    assert open_pool_sealed(parts, KEY, identifier) == plaintext
