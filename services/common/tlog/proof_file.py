"""A proof that one record is in the log, in a file of its own that anyone can verify offline.

Source: C2SP tlog-proof; its `extra` line holds the record itself.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from services.common.tlog.merkle import leaf_hash, root_from_inclusion
from services.common.tlog.note import Checkpoint, VerifierKey, open_checkpoint
from services.common.tlog.proof import ProofError

_HEADING = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class LoggedProof:
    """A record's bytes, its place, the path to the root, and the checkpoint with that root."""

    entry: bytes
    index: int
    path: Sequence[bytes]
    note: bytes

    def to_bytes(self) -> bytes:
        """Return the file."""
        lines = [_HEADING, f"extra {_text(self.entry)}", f"index {self.index}"]
        lines += [_text(each) for each in self.path]
        return "\n".join([*lines, "", ""]).encode() + self.note

    @classmethod
    def from_bytes(cls, data: bytes) -> LoggedProof:
        """Read a file.

        Raises:
            ProofError: PROOF_MALFORMED.
        """
        head, found, note = data.partition(b"\n\n")
        try:
            heading, extra, index, *path = head.decode().split("\n")
            entry = base64.b64decode(extra.removeprefix("extra "), validate=True)
            hashes = [base64.b64decode(each, validate=True) for each in path]
            place = int(index.removeprefix("index "))
        except (ValueError, binascii.Error):
            raise _malformed() from None
        shaped = extra.startswith("extra ") and index.startswith("index ")
        if heading != _HEADING or not found or not shaped:
            raise _malformed()
        return cls(entry, place, hashes, note)

    def verified(self, keys: Sequence[VerifierKey]) -> Checkpoint:
        """Return the checkpoint that covers the record.

        Raises:
            NoteError: the checkpoint is not one of the log; see there.
            ProofError: PROOF_WRONG, the record is not in the tree at that place.
        """
        checkpoint = open_checkpoint(self.note, keys)
        leaf = leaf_hash(self.entry)
        root = root_from_inclusion(leaf, self.index, checkpoint.size, self.path)
        if root != checkpoint.root:
            raise ProofError(
                "PROOF_WRONG", f"The record is not number {self.index} of the signed log."
            )
        return checkpoint


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _malformed() -> ProofError:
    return ProofError("PROOF_MALFORMED", "The file is no proof of a log.")
