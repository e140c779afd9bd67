"""Transparency logs: RFC 6962 Merkle trees in tiles, signed checkpoints, proofs, verification.

Pure functions and formats, so that the service that keeps a log and whoever verifies a copy of it
offline share nothing but these bytes. Sources: RFC 6962 and RFC 9162 (trees and proofs), C2SP
tlog-tiles, tlog-checkpoint, signed-note and tlog-proof (layouts and texts).

Own code and not a library: the arithmetic is two pages, and those that exist keep a tree in memory
or in a database of theirs, while a log in tiles needs it over nodes that are read one by one.
"""

from services.common.tlog.frontier import Frontier
from services.common.tlog.merkle import EMPTY_ROOT, leaf_hash, node_hash, root_of
from services.common.tlog.note import (
    Checkpoint,
    NoteError,
    VerifierKey,
    open_checkpoint,
    read_keys,
    signature_line,
)
from services.common.tlog.proof import Nodes, ProofError
from services.common.tlog.proof_file import LoggedProof
from services.common.tlog.tiles import ENTRIES, WIDTH, Tile, TileId

__all__ = [
    "EMPTY_ROOT",
    "ENTRIES",
    "WIDTH",
    "Checkpoint",
    "Frontier",
    "LoggedProof",
    "Nodes",
    "NoteError",
    "ProofError",
    "Tile",
    "TileId",
    "VerifierKey",
    "leaf_hash",
    "node_hash",
    "open_checkpoint",
    "read_keys",
    "root_of",
    "signature_line",
]
