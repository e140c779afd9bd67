"""`idmesh audit` on a copied log, offline: what it says of a good one and of each bad one."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from idmesh.audit.v1 import audit_events_pb2

from services.common.tlog import (
    Checkpoint,
    Frontier,
    LoggedProof,
    TileId,
    leaf_hash,
    merkle,
    note,
)
from services.common.tlog.tiles import ENTRIES
from services.local.audit_log import command
from services.local.problems import Problem
from tests.unit.common.tlog.test_tlog_note import ORIGIN, Signer

SIGNER = Signer()


def entry(number: int) -> bytes:
    record = audit_events_pb2.AuditRecorded(action=f"ACTION_{number:03d}", service="identity")
    return record.SerializeToString(deterministic=True)


def write_log(folder: Path, size: int, signer: Signer = SIGNER) -> Path:
    frontier = Frontier()
    files = []
    for number in range(size):
        files += frontier.append(entry(number), leaf_hash(entry(number)))
    checkpoint = Checkpoint(ORIGIN, size, frontier.root())
    for tile in (*files, *frontier.partial_tiles()):
        place = folder / tile.id.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(tile.data)
    (folder / "checkpoint").write_bytes(note.sealed(checkpoint, [signer.line(checkpoint)]))
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(f"{SIGNER.key}\n")
    return write_log(tmp_path / "log", 600)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def verify(log: Path, *more: object) -> Result:
    return run("verify", "--folder", log, "--public-key", log.parent / "key", *more)


def test_a_good_log_is_said_to_be_good_and_its_checkpoint_saved(log: Path) -> None:
    saved = log.parent / "saved"
    result = verify(log, "--save", saved)
    assert result.exit_code == 0, result.exception
    assert "600 records, 600 of them read" in result.output
    assert saved.read_bytes() == (log / "checkpoint").read_bytes()
    assert verify(write_log(log, 700), "--from", saved).exit_code == 0
    assert "600 records, 0 of them" in verify(write_log(log, 600), "--tree-only").output


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (TileId(ENTRIES, 1).path, "ENTRY_REWRITTEN: Record 256 is not the one signed. (tile/en"),
        (TileId(0, 1).path, "TILE_REWRITTEN"),
        (TileId(0, 2, 88).path, "ROOT_WRONG"),
        ("checkpoint", "CHECKPOINT_SIGNATURE_WRONG"),
    ],
)
def test_a_changed_file_is_named(log: Path, path: str, reason: str) -> None:
    data = bytearray((log / path).read_bytes())
    # In a checkpoint this is within the root.
    data[23] = ord("A") if data[23] != ord("A") else ord("B")
    (log / path).write_bytes(data)
    result = verify(log)
    assert isinstance(result.exception, Problem)
    assert str(result.exception).startswith(reason)


def test_a_lost_file_a_shrunk_log_and_a_wrong_key_are_each_said(log: Path) -> None:
    saved, key = log.parent / "saved", log.parent / "key"
    saved.write_bytes((log / "checkpoint").read_bytes())
    shrunk = write_log(log.parent / "shrunk", 500)
    foreign = write_log(log.parent / "foreign", 600, Signer(2))
    assert str(verify(shrunk, "--from", saved).exception).startswith("LOG_SHRUNK")
    assert str(verify(foreign).exception).startswith("CHECKPOINT_KEY_UNKNOWN")
    (log / TileId(0, 1).path).unlink()
    assert str(verify(log).exception).startswith("TILE_MISSING")
    key.write_text("nonsense")
    assert str(verify(log).exception).startswith("KEY_MALFORMED")


def test_a_copy_is_complete_goes_on_and_verifies(log: Path) -> None:
    copy = log.parent / "copy"
    assert "600 records copied" in run("export", copy, "--folder", log).output
    assert verify(copy).exit_code == 0
    write_log(log, 900)
    assert "900 records copied" in run("export", copy, "--folder", log).output
    assert verify(copy).exit_code == 0
    (log / TileId(ENTRIES, 3, 132).path).unlink()
    lacking = run("export", log.parent / "other", "--folder", log)
    assert isinstance(lacking.exception, Problem)
    assert not (log.parent / "other" / "checkpoint").exists()


def test_one_records_proof_is_verified_and_shown(log: Path) -> None:
    leaves = [leaf_hash(entry(number)) for number in range(600)]
    path = [merkle.root_of(leaves[a:b]) for a, b in merkle.inclusion_path(42, 600)]
    proof = LoggedProof(entry(42), 42, path, (log / "checkpoint").read_bytes())
    file = log.parent / "record.tlog-proof"
    file.write_bytes(proof.to_bytes())
    shown = verify(log, "--proof", file).output
    assert "ACTION_042" in shown
    assert "record 42 of the 600" in shown
    file.write_bytes(LoggedProof(entry(43), 42, path, proof.note).to_bytes())
    assert str(verify(log, "--proof", file).exception).startswith("PROOF_WRONG")
