"""What the audit log costs: records written, appended and hashed into the tree; proofs at 1 M.

CPU seconds are of this process and of PostgreSQL's together. The tree's files lie in a folder, each
synced; the signature is made in this process, as Vault's share is a call a minute.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import click
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit import convert
from services.audit.clients.files import ObjectFiles
from services.audit.domain.record import RecordedAct
from services.audit.store.checkpoints import PostgresCheckpoints
from services.audit.store.log import Log
from services.audit.usecases.grow_tree import GrowTree
from services.bench import processes
from services.bench.keys import Options
from services.common import audit
from services.common.config import PostgresConfig, load, structure
from services.common.objects import ObjectStore
from services.common.postgres import Database
from services.common.tlog import (
    Checkpoint,
    Frontier,
    LoggedProof,
    Nodes,
    Tile,
    TileId,
    VerifierKey,
    leaf_hash,
    note,
    signature_line,
)
from services.common.tlog.verify import verify_log
from services.local import commands
from services.local.folder import existing
from services.local.topology import config_file

GOAL: Final = 0.10
# CPU of one authentication over all processes, in ms, as `idmesh bench auth` prints it.
AUTHENTICATION_MS: Final = float(os.environ.get("IDMESH_BENCH_AUTHENTICATION_MS", "7.4"))
_ORIGIN: Final = "bench/audit"
_LOT: Final = 100
_RECORDS: Final = 20_000
_MILLION: Final = 1_000_000
_PROVED: Final = 123_456


class _Signer:
    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self.key = VerifierKey(_ORIGIN, self._private.public_key().public_bytes_raw())

    async def keys(self) -> list[VerifierKey]:
        return [self.key]

    async def sign(self, checkpoint: Checkpoint) -> list[bytes]:
        signature = self._private.sign(checkpoint.text)
        return [signature_line(_ORIGIN, self.key.id, signature)]


@dataclass(frozen=True)
class _Spent:
    """CPU seconds so far, and the clock."""

    wall_s: float
    cpu_s: float

    @classmethod
    def now(cls, data_folder: Path) -> _Spent:
        usage = processes.usage(data_folder)
        cpu_s = sum(usage[name].cpu_s for name in ("postgres", processes.GENERATOR))
        return cls(time.perf_counter(), cpu_s)


def run(options: Options) -> None:
    """Measure on a PostgreSQL of its own; print rates, costs and the share of an authentication."""
    with tempfile.TemporaryDirectory(prefix="idmesh-bench-") as name:
        folder = Path(name) / "data"
        click.echo("Starting PostgreSQL ...", err=True)
        commands.up(folder, None, "auto", (), no_services=True, detach=True)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
                loop.run(_measure_costs(folder, Path(name) / "log"))
        finally:
            commands.down(folder, 60.0)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(_measure_proofs())


async def _measure_costs(folder: Path, files: Path) -> None:
    click.echo(f"\nAudit log: {_RECORDS:,} records, lots of {_LOT}")
    async with _database(folder, "authentication") as acting:
        written = await _timed(folder, "written with the act (act and feed)", _write(acting))
    async with _database(folder, "audit") as database, ObjectStore(files.as_uri()) as objects:
        log = Log(database, _read)
        grow = GrowTree(
            log,
            PostgresCheckpoints(database),
            ObjectFiles(objects),
            _Signer(),
            origin=_ORIGIN,
            recheck=4096,
        )
        appended = await _timed(folder, "appended, without the tree", _append(database, log))
        hashed = await _timed(folder, "hashed into the tree and signed", grow())
    per_record_ms = written + appended + hashed
    share = per_record_ms / AUTHENTICATION_MS
    click.echo(
        f"With the tree an append takes {(appended + hashed) / appended:.2f} times the CPU of one"
        " without.\n"
        f"All together {per_record_ms:.3f} ms of CPU a record: {share:.1%} of an authentication of"
        f" {AUTHENTICATION_MS} ms. Goal, at most {GOAL:.0%}: {'met' if share <= GOAL else 'missed'}"
    )


async def _timed(folder: Path, what: str, work: object) -> float:
    """Do the work and print what it took; returns ms of CPU for a record."""
    before = _Spent.now(folder)
    await work  # type: ignore[misc]
    after = _Spent.now(folder)
    cpu_ms = (after.cpu_s - before.cpu_s) * 1000 / _RECORDS
    rate = _RECORDS / (after.wall_s - before.wall_s)
    click.echo(f"{what:<40}{rate:>10,.0f}/s{cpu_ms:>10.3f} ms of CPU a record")
    return cpu_ms


async def _write(database: Database) -> None:
    for _ in range(_RECORDS // _LOT):
        async with database.transaction() as connection:
            await audit.record_all(connection, _acts())


async def _append(database: Database, log: Log) -> None:
    for _ in range(_RECORDS // _LOT):
        acts = [convert.act_from_event(act) for act in _acts()]
        async with database.transaction() as connection:
            await log.append(connection, acts)


def _acts() -> list[audit.Act]:
    """Return records as authentication makes them."""
    return [
        audit.act_of(
            "authentication",
            "INDIVIDUAL_AUTHENTICATED",
            "identity",
            uuid4().bytes,
            audit.Outcome.SUCCEEDED,
            audit.Actor("partner", "partner-0001"),
            {"factors": "demo,otp", "errors": "", "auth_transaction_id": str(uuid4())},
        )
        for _ in range(_LOT)
    ]


def _read(raw: bytes) -> RecordedAct:
    return convert.act_from_event(convert.event_from_canonical(raw))


@asynccontextmanager
async def _database(folder: Path, service: str) -> AsyncIterator[Database]:
    process = {"authentication": "auth"}.get(service, service)
    document = load(config_file(existing(folder), process))
    table = document.services[service]["postgres"]
    assert isinstance(table, dict), "every service here has a database"
    async with Database(structure(PostgresConfig, table), service=service) as database:
        yield database


async def _measure_proofs() -> None:
    """Build a log of a million records in memory; prove and verify."""
    click.echo(f"\nA log of {_MILLION:,} records", err=True)
    signer, frontier = _Signer(), Frontier()
    files: dict[str, bytes] = {}
    [sample, *_] = _acts()
    began = time.process_time()
    for number in range(_MILLION):
        sample.audit_id = number.to_bytes(16, "big")
        entry = sample.SerializeToString(deterministic=True)
        _keep(files, frontier.append(entry, leaf_hash(entry)))
    _keep(files, frontier.partial_tiles())
    built_s = time.process_time() - began
    checkpoint = Checkpoint(_ORIGIN, _MILLION, frontier.root())
    sealed = note.sealed(checkpoint, await signer.sign(checkpoint))
    files["checkpoint"] = sealed

    async def tile(wanted: TileId) -> bytes:
        return files[wanted.path]

    async def file(path: str) -> bytes | None:
        return files.get(path)

    nodes, rounds = Nodes(_MILLION, tile), 500
    sample.audit_id = _PROVED.to_bytes(16, "big")
    entry = sample.SerializeToString(deterministic=True)
    began = time.process_time()
    for _ in range(rounds):
        path = await nodes.inclusion(_PROVED, _MILLION)
    made_ms = (time.process_time() - began) * 1000 / rounds
    proof = LoggedProof(entry, _PROVED, path, sealed)
    began = time.process_time()
    for _ in range(rounds):
        proof.verified([signer.key])
    proved_ms = (time.process_time() - began) * 1000 / rounds
    began = time.process_time()
    verified = await verify_log(file, [signer.key])
    all_s = time.process_time() - began
    half = await nodes.consistency(_MILLION // 2 + 1, _MILLION)
    hashes = sum(len(data) for path, data in files.items() if "/entries/" not in path)
    click.echo(
        f"built in {built_s:.1f} s of CPU ({_MILLION / built_s:,.0f} records/CPU s);"
        f" tiles {hashes / _MILLION:.1f} bytes a record\n"
        f"inclusion proof: {len(path)} hashes, {32 * len(path)} bytes, with record and checkpoint"
        f" {len(proof.to_bytes()):,} bytes; made in {made_ms:.2f} ms, verified in"
        f" {proved_ms:.3f} ms of CPU\n"
        f"consistency proof from half: {len(half)} hashes\n"
        f"the whole log verified: {verified.entries:,} records in {all_s:.1f} s of CPU"
    )


def _keep(files: dict[str, bytes], tiles: list[Tile]) -> None:
    for each in tiles:
        files[each.id.path] = each.data


if __name__ == "__main__":
    run(Options(seconds=1.0, in_flight=8, threads=4))
