"""Sealed boxes: data encrypted under a data key that travels with it, wrapped by Vault.

A box names the key and the version that its data key is wrapped under, and is bound to one
place (a row, a part of an object). Its tag covers every field but the wrapped data key and that
key's version, which rotation changes and which Vault verifies when it unwraps. So a box opens in
one place only, and rotation wraps data keys anew and leaves the rest as it is.

What is too large for memory is sealed as a stream of chunks that open in their order only.

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
from services.common.envelope.keys import DataKeyCache, DataKeys, Envelope, wipe_all
from services.common.envelope.stream import (
    open_stream,
    open_stream_async,
    seal_stream,
    seal_stream_async,
    stream_key_used,
    with_wrapped_stream_key,
)

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
    "open_stream",
    "open_stream_async",
    "seal",
    "seal_stream",
    "seal_stream_async",
    "stream_key_used",
    "wipe_all",
    "with_wrapped_key",
    "with_wrapped_stream_key",
    "wrapped_key",
]
