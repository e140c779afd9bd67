"""Revoked certificates: how one is named, and what a follower keeps of all of them.

A certificate is named by its issuer's public key and its serial, never by the issuer's name
alone: two authorities may bear one name.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Name = tuple[bytes, bytes]
"""Issuer (32 bytes) and serial (unsigned, big endian, without leading zeros)."""


def issuer_id(authority: x509.Certificate) -> bytes:
    """Return the SHA-256 over an authority's SubjectPublicKeyInfo."""
    key = authority.public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def serial_bytes(serial: int) -> bytes:
    """Return a serial as it is stored and sent."""
    return serial.to_bytes((serial.bit_length() + 7) // 8, "big")


def names_of(path: Sequence[x509.Certificate]) -> list[Name]:
    """Return the names of all but the root of a path, its leaf first."""
    return [
        (issuer_id(issuer), serial_bytes(one.serial_number))
        for one, issuer in itertools.pairwise(path)
    ]


@dataclass
class Revocations:
    """What is revoked, in memory; of strict authorities also until when that is believed."""

    serials: dict[bytes, set[bytes]] = field(default_factory=dict)
    good_until: dict[bytes, datetime] = field(default_factory=dict)

    def apply(
        self,
        issuer: bytes,
        added: Iterable[bytes],
        removed: Iterable[bytes],
        good_until: datetime | None,
    ) -> None:
        """Apply one change."""
        serials = self.serials.setdefault(issuer, set())
        serials.update(added)
        serials.difference_update(removed)
        if good_until is None:
            self.good_until.pop(issuer, None)
        else:
            self.good_until[issuer] = good_until

    def refuse(self, names: Iterable[Name], now: datetime) -> str | None:
        """Say why a path is not to be believed: REVOKED or REVOCATION_UNKNOWN; else None."""
        for issuer, serial in names:
            if serial in self.serials.get(issuer, ()):
                return "REVOKED"
            end = self.good_until.get(issuer)
            if end is not None and end <= now:
                return "REVOCATION_UNKNOWN"
        return None

    def clear(self) -> None:
        """Forget all."""
        self.serials.clear()
        self.good_until.clear()
