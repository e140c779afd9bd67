"""MOSIP's framing, byte by byte."""

import contextlib
import hashlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from services.common.packet import PacketError, SealedParts, open_sealed, parse_sealed, seal

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)
KEY = bytes(range(32))


def framed(plaintext: bytes, wrapped_bytes: int = 256) -> bytes:
    nonce, aad, thumbprint = b"n" * 12, b"a" * 32, b"t" * 32
    sealed = AESGCM(KEY).encrypt(nonce, plaintext, aad)
    return nonce + aad + thumbprint + b"w" * wrapped_bytes + b"#KEY_SPLITTER#" + sealed


def test_a_sealed_packet_has_each_part_at_mosip_s_offset(
    centre_key: rsa.RSAPrivateKey, centre_certificate: x509.Certificate
) -> None:
    data = seal(b"the plain packet", centre_certificate)
    thumbprint = hashlib.sha256(centre_certificate.public_bytes(Encoding.DER)).digest()
    assert data[44:76] == thumbprint
    assert data[332:346] == b"#KEY_SPLITTER#"
    assert len(data) == 346 + len(b"the plain packet") + 16
    session_key = centre_key.decrypt(data[76:332], OAEP)
    assert AESGCM(session_key).decrypt(data[:12], data[346:], data[12:44]) == b"the plain packet"


def test_sealing_twice_gives_nothing_twice(centre_certificate: x509.Certificate) -> None:
    one, two = (parse_sealed(seal(b"x", centre_certificate)) for _ in range(2))
    assert one.nonce != two.nonce
    assert one.aad != two.aad
    assert one.wrapped_key != two.wrapped_key


def test_a_packet_under_rsa_3072_is_read_and_written(
    certificate_of: Callable[[rsa.RSAPrivateKey], x509.Certificate],
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    parts = parse_sealed(seal(b"longer key", certificate_of(key)))
    assert len(parts.wrapped_key) == 384
    assert open_sealed(parts, key.decrypt(parts.wrapped_key, OAEP)) == b"longer key"


def test_a_certificate_with_another_key_size_is_not_sealed_for(
    certificate_of: Callable[[rsa.RSAPrivateKey], x509.Certificate],
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(ValueError, match="2048 or 3072"):
        seal(b"x", certificate_of(key))


@pytest.mark.parametrize("wrapped_bytes", [256, 384])
def test_a_packet_cut_short_anywhere_is_refused(wrapped_bytes: int) -> None:
    data = framed(b"", wrapped_bytes)
    for length in range(len(data)):
        with pytest.raises(PacketError) as refused:
            parse_sealed(data[:length])
        assert refused.value.reason in ("PACKET_TRUNCATED", "PACKET_SPLITTER_MISSING")


def test_any_altered_byte_but_the_wrapped_key_and_thumbprint_fails_decryption() -> None:
    data = framed(b"some plain bytes")
    for position in (0, 11, 12, 43, 346, len(data) - 17, len(data) - 1):
        altered = bytearray(data)
        altered[position] ^= 1
        with pytest.raises(PacketError) as refused:
            open_sealed(parse_sealed(bytes(altered)), KEY)
        assert refused.value.reason == "PACKET_DECRYPT_FAILED"
        assert refused.value.mosip_code == "KER-PUT-003"


def test_a_splitter_elsewhere_is_refused() -> None:
    data = framed(b"x").replace(b"#KEY_SPLITTER#", b"#KEY_SPLITTEN#")
    with pytest.raises(PacketError) as refused:
        parse_sealed(data)
    assert refused.value.reason == "PACKET_SPLITTER_MISSING"


def test_a_packet_over_the_limit_is_refused_before_it_is_taken_apart() -> None:
    with pytest.raises(PacketError) as refused:
        parse_sealed(framed(b"x" * 100), max_bytes=400)
    assert refused.value.reason == "PACKET_TOO_LARGE"


@pytest.mark.parametrize("key", [b"", b"k" * 16, b"k" * 33])
def test_a_session_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(PacketError) as refused:
        open_sealed(parse_sealed(framed(b"x")), key)
    assert refused.value.reason == "PACKET_SESSION_KEY_INVALID"


def test_the_plaintext_is_not_in_the_repr() -> None:
    assert "ciphertext" not in repr(parse_sealed(framed(b"secret")))


@given(st.binary(max_size=2000))
def test_arbitrary_bytes_are_parts_or_a_packet_error(data: bytes) -> None:
    with contextlib.suppress(PacketError):
        assert isinstance(parse_sealed(data), SealedParts)


@given(st.binary(max_size=4096))
def test_what_is_framed_is_opened_again(plaintext: bytes) -> None:
    assert open_sealed(parse_sealed(framed(plaintext)), KEY) == plaintext
