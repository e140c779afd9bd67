"""Sealed boxes: data encrypted under a data key that travels with it, wrapped by Vault.

A box names the key and the version that its data key is wrapped under, and is bound to one
place (a row, a part of an object). Its tag covers every field but the wrapped data key and that
key's version, which rotation changes and which Vault verifies when it unwraps. So a box opens in
one place only, and rotation wraps data keys anew and leaves the rest as it is.

docs/security/envelope.md has the bytes. Version 2 is written; version 1 is read too.
"""

from services.common.envelope.binding import Aad, Binding, ObjectAad
from services.common.envelope.box import (
    key_used,
    open_,
    seal,
    with_wrapped_key,
    wrapped_key,
)
from services.common.envelope.header import KeyUse
from services.common.envelope.keys import DataKeyCache, DataKeys, Envelope

__all__ = [
    "Aad",
    "Binding",
    "DataKeyCache",
    "DataKeys",
    "Envelope",
    "KeyUse",
    "ObjectAad",
    "key_used",
    "open_",
    "seal",
    "with_wrapped_key",
    "wrapped_key",
]
