"""Sealed boxes: data encrypted under a data key that travels with it, wrapped.

Layout, version 1 (integers big-endian):

    magic "IDM"  version u8 = 1  algorithm u8 = 1 (AES-256-GCM)
    length of the wrapped key u16, wrapped key (ASCII, "vault:v3:...")
    nonce (12 bytes)  ciphertext and tag (16 bytes)

The tag covers magic, version, algorithm and what the box is bound to (table, record, version of
the record), so a box is good in one place only. It does not cover the wrapped key: rotation
wraps the data key anew and leaves the rest as it is.
"""

from services.common.envelope.box import Aad, open_, seal, with_wrapped_key, wrapped_key
from services.common.envelope.keys import DataKeyCache, DataKeys, Envelope

__all__ = [
    "Aad",
    "DataKeyCache",
    "DataKeys",
    "Envelope",
    "open_",
    "seal",
    "with_wrapped_key",
    "wrapped_key",
]
