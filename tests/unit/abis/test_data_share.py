"""What MOSIP's data share seals is opened, and nothing that was altered."""

from __future__ import annotations

import base64
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.abis.domain.data_share import open_share, parse_share
from services.abis.domain.message import Failure, MessageRefusedError

SESSION_KEY, THUMBPRINT = bytes(range(32)), bytes(32)


def a_share(plain: bytes, *, key_bytes: int = 256, version: bytes = b"VER_R2") -> bytes:
    """Return a sealed document, before base64; written from MOSIP's description."""
    aad = os.urandom(32)
    ciphertext = AESGCM(SESSION_KEY).encrypt(aad[:12], plain, aad)
    wrapped = b"\x07" * key_bytes
    return version + THUMBPRINT + wrapped + b"#KEY_SPLITTER#" + aad + ciphertext


def refused(body: bytes) -> Failure:
    with pytest.raises(MessageRefusedError) as error:
        open_share(parse_share(body), SESSION_KEY)
    return error.value.failure


@pytest.mark.parametrize("key_bytes", [256, 384])
@pytest.mark.parametrize("encode", [base64.urlsafe_b64encode, base64.b64encode])
def test_a_share_is_opened(key_bytes: int, encode: object) -> None:
    assert callable(encode)
    share = parse_share(encode(a_share(b"<BIR/>", key_bytes=key_bytes)).rstrip(b"="))
    assert (share.thumbprint, share.wrapped_key) == (THUMBPRINT, b"\x07" * key_bytes)
    assert open_share(share, SESSION_KEY) == b"<BIR/>"


def test_an_altered_share_is_not_opened() -> None:
    good = a_share(b"<BIR/>")
    for place in (len(good) - 1, 308, 345):
        bad = bytearray(good)
        bad[place] ^= 1
        assert refused(base64.b64encode(bytes(bad))) is Failure.UNEXPECTED
    with pytest.raises(MessageRefusedError):
        open_share(parse_share(base64.b64encode(good)), b"short")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not base64!",
        base64.b64encode(b"VER_R2"),
        base64.b64encode(a_share(b"x", version=b"VER_R1")),
        base64.b64encode(a_share(b"x", key_bytes=128)),
        base64.b64encode(a_share(b"")[:-20]),
        # The form of before release 1.2.0.
        base64.b64encode(a_share(b"x", version=b"")),
    ],
)
def test_another_form_is_refused(body: bytes) -> None:
    assert refused(body) is Failure.CBEFF_FORMAT
