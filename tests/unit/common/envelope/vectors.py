"""Test vectors, made from docs/security/envelope.md alone: nothing of the code is used.

`python -m tests.unit.common.envelope.vectors > docs/security/envelope-vectors.json`
"""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

DATA_KEY = bytes(range(32))
WRAPPED = bytes(range(100, 160))
NAME = b"core/transit/record"
KEY_VERSION = 7


def binding_of(first: bytes, second: bytes, number: int) -> bytes:
    return (
        struct.pack(">I", len(first)) + first + struct.pack(">I", len(second)) + second
        + struct.pack(">Q", number)
    )  # fmt: skip


ROW = binding_of(b"identity", bytes(range(16)), 3)
OBJECT = binding_of(b"snapshots", b"one/two", 5)


def header_of(algorithm: int, definition: int) -> tuple[bytes, bytes]:
    """Return the header, and what the tag covers of it."""
    first = b"IDM" + bytes([2, algorithm, definition])
    name = bytes([len(NAME)]) + NAME
    return first + struct.pack(">IH", KEY_VERSION, len(WRAPPED)) + name + WRAPPED, first + name


def box(definition: int, binding: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    header, covered = header_of(1, definition)
    return header + nonce + AESGCM(DATA_KEY).encrypt(nonce, plaintext, covered + binding)


def box_1(binding: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    text = f"vault:v{KEY_VERSION}:{base64.b64encode(WRAPPED).decode()}".encode()
    sealed = AESGCM(DATA_KEY).encrypt(nonce, plaintext, b"IDM\x01\x01" + binding)
    return b"IDM\x01\x01" + struct.pack(">H", len(text)) + text + nonce + sealed


def stream(definition: int, binding: bytes, salt: bytes, chunks: list[bytes]) -> bytes:
    header, covered = header_of(2, definition)
    info = b"idmesh stream 2" + covered + binding
    derived = HKDF(hashes.SHA256(), 39, salt=salt, info=info).derive(DATA_KEY)
    made = header + salt
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1
        head = struct.pack(">II", number, len(chunk) | last << 31)
        nonce = derived[32:] + struct.pack(">IB", number, last)
        made += head + AESGCM(derived[:32]).encrypt(nonce, chunk, head)
    return made


def vectors() -> dict[str, Any]:
    nonce, salt = bytes(range(200, 212)), bytes(range(50, 82))
    row = {"definition": 1, "fields": ["identity", bytes(range(16)).hex(), 3]}
    part = {"definition": 2, "fields": ["snapshots", "one/two", 5]}
    three = stream(2, OBJECT, salt, [b"abc", b"def", b"gh"])
    made = [
        ("box of a row", row, b"name", box(1, ROW, nonce, b"name")),
        ("empty box of a part of an object", part, b"", box(2, OBJECT, nonce, b"")),
        ("box of version 1", row, b"name", box_1(ROW, nonce, b"name")),
        ("stream of three chunks", part, b"abcdefgh", three),
        ("empty stream", row, b"", stream(1, ROW, salt, [b""])),
    ]  # fmt: skip
    return {
        "data_key": DATA_KEY.hex(),
        "wrapped_key": f"vault:v{KEY_VERSION}:{base64.b64encode(WRAPPED).decode()}",
        "key": NAME.decode(),
        "key_version": KEY_VERSION,
        "vectors": [
            {"name": name, "binding": binding, "plaintext": plain.hex(), "sealed": sealed.hex()}
            for name, binding, plain, sealed in made
        ],
    }


if __name__ == "__main__":
    print(json.dumps(vectors(), indent=1))
