"""What the vault client gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

# es256 signatures come as r || s (JWS), the others as their algorithm's bytes.
Scheme = Literal["ed25519", "rs256", "ps256", "es256"]


@dataclass(frozen=True)
class Mac:
    """An HMAC-SHA-256 and the key version that it was made with."""

    version: int
    digest: bytes = field(repr=False)


@dataclass(frozen=True)
class Signature:
    """A signature and the key version that it was made with."""

    version: int
    signature: bytes


@dataclass(frozen=True)
class DataKey:
    """A 256-bit key: to be used and forgotten, and wrapped, to be stored.

    key is the mount and name of what wraps it.
    """

    plaintext: bytes = field(repr=False)
    wrapped: str
    key: str


@dataclass(frozen=True)
class PublicKeys:
    """The versions of a key; symmetric keys have versions without a public half.

    A public key is PEM (SubjectPublicKeyInfo); of Ed25519 it is the 32 raw bytes. The versions
    from `oldest` to `latest` can be used; those below are retired.
    """

    key_type: str
    latest: int
    keys: Mapping[int, bytes]
    oldest: int = 1


@dataclass(frozen=True)
class IssuedCertificate:
    """A certificate that was just signed.

    chain_pem holds the certificate and the intermediates, ca_pem the root (or, if the engine
    does not know it, the issuer).
    """

    certificate_pem: bytes
    chain_pem: bytes
    ca_pem: bytes
    serial: str
    not_after: datetime
