"""Checkpoints as signed notes: a text of three lines, and lines of signatures below it.

Source: C2SP signed-note and tlog-checkpoint. A signature line is an em dash, the signer's name and
base64 of the key's id (4 bytes) and the signature. Lines by others, such as witnesses, are allowed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "— "
_MAX_NOTE_BYTES = 64 * 1024
_MAX_SIGNATURES = 64


class NoteError(Exception):
    """A note is no checkpoint of this log; `reason` is UPPER_SNAKE.

    CHECKPOINT_MALFORMED: no note, or no checkpoint. CHECKPOINT_KEY_UNKNOWN: none of the keys
    signed it. CHECKPOINT_SIGNATURE_WRONG: one of the keys is named and did not sign this text.
    CHECKPOINT_OF_ANOTHER_LOG: the origin is not the key's name.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Checkpoint:
    """A tree at a size: `origin` names the log, `root` has 32 bytes."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()


@dataclass(frozen=True)
class VerifierKey:
    """An Ed25519 public key (32 bytes) and the name it signs under."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """What tells it from other keys, 4 bytes."""
        named = self.name.encode() + b"\n" + _ED25519 + self.public
        return hashlib.sha256(named).digest()[:4]

    def __str__(self) -> str:
        """Return it as one writes it down: name, id and key with "+" between."""
        encoded = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Tell whether the key signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


def read_keys(text: str) -> list[VerifierKey]:
    """Return the keys of a file, one a line; empty lines and those with # are left out.

    Raises:
        NoteError: KEY_MALFORMED.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [_key(line) for line in lines if line and not line.startswith("#")]
    if not keys:
        raise NoteError("KEY_MALFORMED", "The file holds no public key.")
    return keys


def _key(line: str) -> VerifierKey:
    name, _, rest = line.partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    key = VerifierKey(name, raw[1:])
    if not name or raw[:1] != _ED25519 or len(raw) != 33 or key.id.hex() != key_id:
        raise NoteError("KEY_MALFORMED", "A line is not NAME+ID+KEY with an Ed25519 key.")
    return key


def signature_line(name: str, key_id: bytes, signature: bytes) -> bytes:
    """Return a signature as a line of a note."""
    return f"{_DASH}{name} {base64.b64encode(key_id + signature).decode()}\n".encode()


def sealed(checkpoint: Checkpoint, lines: Iterable[bytes]) -> bytes:
    """Return the note of a checkpoint with its signature lines."""
    return checkpoint.text + b"\n" + b"".join(lines)


def split_checkpoint(note: bytes) -> Checkpoint:
    """Return what a note says, whoever signed it.

    Raises:
        NoteError: CHECKPOINT_MALFORMED.
    """
    return _checkpoint(_split(note)[0])


def open_checkpoint(note: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Return the checkpoint of a note that at least one of the keys signed, and none wrongly.

    Raises:
        NoteError: see there.
    """
    text, signatures = _split(note)
    checkpoint = _checkpoint(text)
    signed = False
    for name, key_id, signature in signatures:
        for key in keys:
            if (key.name, key.id) != (name, key_id):
                continue
            if not key.verifies(text, signature):
                raise NoteError(
                    "CHECKPOINT_SIGNATURE_WRONG", "The checkpoint was changed after it was signed."
                )
            if key.name != checkpoint.origin:
                raise NoteError(
                    "CHECKPOINT_OF_ANOTHER_LOG",
                    f"The checkpoint is of {checkpoint.origin!r}, the key of {key.name!r}.",
                )
            signed = True
    if not signed:
        raise NoteError(
            "CHECKPOINT_KEY_UNKNOWN", "None of the given public keys signed the checkpoint."
        )
    return checkpoint


def _split(note: bytes) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    if len(note) > _MAX_NOTE_BYTES:
        raise _malformed("is too long")
    text, found, rest = note.rpartition(b"\n\n")
    if not found or not rest.endswith(b"\n"):
        raise _malformed("has no signatures")
    try:
        lines = rest.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise _malformed("is not UTF-8") from None
    if len(lines) > _MAX_SIGNATURES:
        raise _malformed("has too many signatures")
    return text + b"\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not line.startswith(_DASH) or not name or len(raw) < 5:
        raise _malformed("has a signature line that is none")
    return name, raw[:4], raw[4:]


def _checkpoint(text: bytes) -> Checkpoint:
    try:
        lines = text.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise _malformed("is not UTF-8") from None
    if len(lines) < 3 or not all(lines):
        raise _malformed("has less than three lines")
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdecimal() and len(size) < 20 and str(int(size)) == size):
        raise _malformed("has no size")
    try:
        decoded = base64.b64decode(root, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != 32:
        raise _malformed("has no root")
    return Checkpoint(origin, int(size), decoded)


def _malformed(what: str) -> NoteError:
    return NoteError("CHECKPOINT_MALFORMED", f"The checkpoint {what}.")
