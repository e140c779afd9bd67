"""Whatever the bytes: MOSIP's framings open to what was sealed, or raise SealedError."""

import base64
from contextlib import suppress

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.mosip_wire import sealed
from services.common.mosip_wire.attribute_sealed import (
    open_pool_sealed,
    open_with_pin,
    parse_pool_sealed,
    seal_with_pin,
    seal_with_pool,
)
from services.common.mosip_wire.sealed import SealedError

KEY, PLAIN, AAD, NONCE = bytes(32), b"some plain bytes", b"a" * 32, b"a" * 12
HEAD = b"t" * 32 + b"w" * 256 + b"#KEY_SPLITTER#"


def seeds() -> list[bytes]:
    """Return inputs that reach deep, to start from."""
    body = AESGCM(KEY).encrypt(NONCE, PLAIN, AAD)
    return [
        b"VER_R2" + HEAD + AAD + body,
        HEAD + body,
        HEAD + sealed.encrypt_behind(PLAIN, KEY, AAD),
        base64.urlsafe_b64encode(HEAD + body),
        seal_with_pin(PLAIN, "1", iterations=1).encode(),
        seal_with_pool(PLAIN, 7, KEY, "1").encode(),
    ]


def fuzz_one(data: bytes) -> None:
    """Read data as each framing; what opens is what was sealed."""
    with suppress(SealedError):
        parts = sealed.parse(data, 1 << 20)
        assert len(parts.wrapped_key) in sealed.WRAPPED_KEY_BYTES
        with suppress(SealedError):
            assert sealed.open_versioned(parts, KEY) == PLAIN
        with suppress(SealedError):
            assert sealed.open_with_aad(parts, KEY, AAD) == PLAIN
        with suppress(SealedError):
            assert sealed.open_with_nonce(parts, KEY, NONCE, AAD) == PLAIN
    with suppress(SealedError):
        sealed.parse_text(data, 1 << 20)
    with suppress(SealedError):
        assert open_with_pin(data, "1", iterations=1) == PLAIN
    with suppress(SealedError):
        assert open_pool_sealed(parse_pool_sealed(data), KEY, "1") == PLAIN
