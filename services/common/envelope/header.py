"""The header that boxes and streams of version 2 share; see docs/security/envelope.md."""

from __future__ import annotations

import base64
import binascii
import functools
import struct
from dataclasses import dataclass, replace

from services.common.envelope import errors
from services.common.envelope.binding import DEFINITIONS, Binding

MAGIC = b"IDM"
VERSION = 2
BOX = 1
STREAM = 2

# Magic, version, algorithm, definition of the binding; then what rotation changes the length of
# and the length of the key's name.
_FIXED = struct.Struct(">3sBBBIHB")
_COVERED = struct.Struct(">3sBBBB")
_MAX_KEY_VERSION = 2**32 - 1
_MAX_WRAPPED_BYTES = 2**16 - 1
_MAX_NAME_BYTES = 255
# Many boxes share a header: those of one data key.
_REMEMBERED = 4096


@dataclass(frozen=True)
class KeyUse:
    """The version of one of Vault's keys that a data key is wrapped under.

    The name is mount and name, such as "core/transit/record"; empty in boxes of version 1,
    which do not say it.
    """

    name: str
    version: int


@dataclass(frozen=True)
class Header:
    """What comes before the sealed bytes.

    Attributes:
        algorithm: BOX or STREAM.
        definition: of the binding.
        key: what wraps the data key.
        wrapped: the wrapped data key, without the key service's prefix.
    """

    algorithm: int
    definition: int
    key: KeyUse
    wrapped: bytes

    @functools.cached_property
    def covered(self) -> bytes:
        """The fields that the tag covers: all but those that wrapping anew changes."""
        name = self.key.name.encode("ascii")
        return _COVERED.pack(MAGIC, VERSION, self.algorithm, self.definition, len(name)) + name

    @functools.cached_property
    def wrapped_key(self) -> str:
        """The wrapped data key as Vault gives and takes it."""
        return f"vault:v{self.key.version}:{base64.b64encode(self.wrapped).decode('ascii')}"

    def wrapped_anew(self, wrapped_key: str) -> Header:
        """Return the header with its data key wrapped anew; see split_wrapped."""
        version, wrapped = split_wrapped(wrapped_key)
        return replace(self, key=KeyUse(self.key.name, version), wrapped=wrapped)

    def to_bytes(self) -> bytes:
        """Return the bytes of the header."""
        name = self.key.name.encode("ascii")
        fixed = _FIXED.pack(
            MAGIC,
            VERSION,
            self.algorithm,
            self.definition,
            self.key.version,
            len(self.wrapped),
            len(name),
        )
        return fixed + name + self.wrapped


def make(algorithm: int, binding: Binding, key: str, wrapped_key: str) -> Header:
    """Return a new header.

    Args:
        algorithm: BOX or STREAM.
        binding: what the data will be bound to.
        key: mount and name of Vault's key.
        wrapped_key: as Vault gives it.

    Raises:
        ValueError: the name is none, or Vault gave something else.
    """
    if not _is_name(key.encode()):
        raise ValueError(f"a key is MOUNT/NAME in ASCII, got {key!r}")
    version, wrapped = split_wrapped(wrapped_key)
    return Header(algorithm, binding.definition, KeyUse(key, version), wrapped)


def parse(sealed: bytes | memoryview) -> tuple[Header, int]:
    """Return the header of version 2 and how many bytes it has.

    Raises:
        InvalidArgument: ENVELOPE_NOT_SEALED, _VERSION_UNKNOWN, _ALGORITHM_UNKNOWN,
            _BOUND_OTHERWISE, _MALFORMED or _TRUNCATED.
    """
    end = length(sealed)
    if len(sealed) < end:
        raise errors.truncated()
    return _parse(bytes(sealed[:end])), end


def length(sealed: bytes | memoryview) -> int:
    """Return how many bytes the header has, from its first 13 bytes; see parse."""
    version_of(sealed)
    if len(sealed) < _FIXED.size:
        raise errors.truncated()
    fixed = _FIXED.unpack_from(sealed)
    if fixed[1] != VERSION:
        raise errors.unknown_version()
    return _FIXED.size + int(fixed[5]) + int(fixed[6])


def version_of(sealed: bytes | memoryview) -> int:
    """Return the version of anything sealed, known or not.

    Raises:
        InvalidArgument: ENVELOPE_NOT_SEALED or ENVELOPE_TRUNCATED.
    """
    if sealed[: len(MAGIC)] != MAGIC[: len(sealed)]:
        raise errors.not_sealed()
    if len(sealed) <= len(MAGIC):
        raise errors.truncated()
    return sealed[len(MAGIC)]


def split_wrapped(wrapped_key: str) -> tuple[int, bytes]:
    """Return version and ciphertext of "vault:v3:...".

    Raises:
        ValueError: it is not of that form, or could be written in another way too.
    """
    prefix, _, rest = wrapped_key.partition(":v")
    number, _, text = rest.partition(":")
    try:
        version, wrapped = int(number), base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        version, wrapped = 0, b""
    known = prefix == "vault" and 0 < version <= _MAX_KEY_VERSION and wrapped
    again = f"vault:v{version}:{base64.b64encode(wrapped).decode('ascii')}"
    if not known or len(wrapped) > _MAX_WRAPPED_BYTES or again != wrapped_key:
        raise ValueError("not a wrapped data key of the key service")
    return version, wrapped


@functools.lru_cache(_REMEMBERED)
def _parse(data: bytes) -> Header:
    _, _, algorithm, definition, key_version, wrapped_bytes, name_bytes = _FIXED.unpack_from(data)
    if algorithm not in (BOX, STREAM):
        raise errors.unknown_algorithm()
    if definition not in DEFINITIONS:
        raise errors.bound_otherwise()
    name = data[_FIXED.size : _FIXED.size + name_bytes]
    if not _is_name(name) or key_version == 0 or wrapped_bytes == 0:
        raise errors.malformed()
    key = KeyUse(name.decode("ascii"), key_version)
    return Header(algorithm, definition, key, data[_FIXED.size + name_bytes :])


def _is_name(name: bytes) -> bool:
    return 0 < len(name) <= _MAX_NAME_BYTES and all(0x21 <= byte <= 0x7E for byte in name)
