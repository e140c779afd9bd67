"""The verbs of `idmesh audit`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from services.local.problems import Problem

T = TypeVar("T")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(name="audit")
def command() -> None:
    """Verify, copy, prove and search the audit log.

    Verification needs a copy of the log and its public key, and nothing else of the platform.
    """


def _source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--folder", type=_FOLDER, help="A copy of the log."),
        click.option("--url", default="", help="The log by REST: https://HOST/v1/audit/log."),
        click.option("--token-file", type=_FILE, help="With --url: an auditor's token."),
        click.option("--ca-file", type=_FILE, help="With --url: what its certificate leads to."),
        _data_folder,
    ):
        function = option(function)
    return function


_data_folder = click.option(
    "--data-folder",
    type=_FOLDER,
    default=Path(".idmesh"),
    show_default=True,
    envvar="IDMESH_DATA_FOLDER",
    help="The mesh on this machine, where no copy or address is given.",
)


@command.command()
@_source_options
@click.option("--public-key", type=_FILE, required=True, help="Keys, one a line: NAME+ID+KEY.")
@click.option("--from", "earlier", type=_FILE, help="A checkpoint that was saved before.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="For the next time.")
@click.option("--tree-only", is_flag=True, help="Only the hashes, which anybody may read.")
@click.option("--proof", type=_FILE, help="Verify one record's proof instead of a whole log.")
def verify(
    *,
    public_key: Path,
    earlier: Path | None,
    save: Path | None,
    tree_only: bool,
    proof: Path | None,
    **named: Any,
) -> None:
    """Verify a log, all of it, or one record's proof.

    Exit status 1 and one line with the reason: CHECKPOINT_..., LOG_SHRUNK, LOG_FORKED, ROOT_WRONG,
    TILE_... or ENTRY_..., with the record or file at fault.
    """
    from services.common.tlog import open_checkpoint, read_keys

    with _told():
        keys = read_keys(public_key.read_text())
        if proof is not None:
            _verify_proof(proof, keys)
            return
        saved = open_checkpoint(earlier.read_bytes(), keys) if earlier else None
        found = asyncio.run(_verify(named, keys, saved, tree_only=tree_only))
    click.echo(
        f"The log is what was signed: {found.checkpoint.size} records, {found.entries} of them"
        f" read, root {found.checkpoint.root.hex()}."
    )
    if save is not None:
        save.write_bytes(found.note)


async def _verify(named: Any, keys: Any, saved: Any, *, tree_only: bool) -> Any:
    from services.common.tlog.verify import verify_log
    from services.local.audit_log.sources import Source

    with _progress("records") as show:
        async with Source(**named).opened() as read:
            return await verify_log(
                read,
                keys,
                earlier=saved,
                with_entries=not tree_only,
                visit=lambda index, _: show(index + 1, 0),
            )


def _verify_proof(file: Path, keys: Any) -> None:
    from google.protobuf import text_format
    from idmesh.audit.v1 import audit_events_pb2

    from services.common.tlog import LoggedProof

    proof = LoggedProof.from_bytes(file.read_bytes())
    checkpoint = proof.verified(keys)
    record = audit_events_pb2.AuditRecorded.FromString(proof.entry)
    click.echo(text_format.MessageToString(record, as_utf8=True), nl=False)
    click.echo(f"This is record {proof.index} of the {checkpoint.size} that were signed.")


@command.command()
@click.argument("destination", type=_FOLDER)
@_source_options
def export(*, destination: Path, **named: Any) -> None:
    """Copy the log to a folder; what is there already is not copied again."""
    from services.local.audit_log.copy import copy_log
    from services.local.audit_log.sources import Source

    async def run() -> int:
        with _progress("files") as show:
            async with Source(**named).opened() as read:
                return await copy_log(read, destination, show)

    with _told():
        size = asyncio.run(run())
    click.echo(f"{size} records copied. Next: idmesh audit verify --folder {destination}")


@command.command()
@click.argument("record")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@_data_folder
def prove(*, record: str, out: Path, data_folder: Path) -> None:
    """Write the proof that a record is in the log. RECORD is its audit id or its index.

    Whoever gets the file verifies it with: idmesh audit verify --proof FILE --public-key KEY.
    """
    from idmesh.audit.v1 import audit_service_pb2 as pb

    from services.common.tlog import LoggedProof
    from services.local.audit_log.sources import operator

    request = pb.GetInclusionProofRequest()
    if record.isdecimal():
        request.index = int(record)
    else:
        request.audit_id = _uuid(record).bytes

    async def run() -> LoggedProof:
        async with operator(data_folder) as found:
            answer = await found.audit.GetInclusionProof(request)
        return LoggedProof(answer.entry, answer.index, list(answer.path), answer.checkpoint)

    with _told():
        proof = asyncio.run(run())
    out.write_bytes(proof.to_bytes())
    click.echo(f"The proof of record {proof.index} is in {out}.")


@command.command()
@_data_folder
def keys(data_folder: Path) -> None:
    """Print the log's public keys, for those who verify it; they are given out with care."""
    from idmesh.audit.v1 import audit_service_pb2 as pb

    from services.local.audit_log.sources import operator

    async def run() -> str:
        async with operator(data_folder) as found:
            answer = await found.audit_log.GetVerifierKeys(pb.GetVerifierKeysRequest())
            return bytes(answer.data).decode()

    with _told():
        click.echo(asyncio.run(run()), nl=False)


@command.command()
@click.option("--subject", default="", help="KIND:KEY, such as identity:UUID or partner:ID.")
@click.option("--actor", default="", help="Its id.")
@click.option("--action", default="", help="Such as UIN_ISSUED.")
@click.option("--service", default="")
@click.option("--correlation-id", default="", help="All records of one request.")
@click.option("--since", type=click.DateTime(), help="UTC.")
@click.option("--until", type=click.DateTime(), help="UTC.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@_data_folder
def search(
    *,
    subject: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    data_folder: Path,
    actor: str,
    action: str,
    service: str,
    correlation_id: str,
) -> None:
    """Show records, newest first. The search itself is recorded.

    A person's records are found by the random id of their identity; which one belongs to a UIN
    is identity's to say, and asking is recorded there.
    """
    from idmesh.audit.v1 import audit_service_pb2 as pb

    from services.local.audit_log.sources import operator

    kind, _, key = subject.partition(":")
    request = pb.SearchRecordsRequest(
        subject_kind=kind,
        subject_key=_subject_key(key),
        actor_id=actor,
        action=action,
        service=service,
        correlation_id=correlation_id,
        page_size=limit,
    )
    if since:
        request.acted_from.FromDatetime(since)
    if until:
        request.acted_before.FromDatetime(until)

    async def run() -> pb.SearchRecordsResponse:
        async with operator(data_folder) as found:
            return await found.audit.SearchRecords(request)

    with _told():
        answer = asyncio.run(run())
    for record in answer.records:
        mosip = record.mosip
        outcome = "" if record.recorded.outcome == 1 else " (refused or failed)"
        click.echo(
            f"{record.index:>9}  {mosip.action_dtimes.ToJsonString()}  {mosip.application_name}"
            f"  {mosip.event_id}{outcome}  by {mosip.session_user_name}:{mosip.session_user_id}"
            f"  on {mosip.id_type}:{mosip.id}  {mosip.description}"
        )


def _subject_key(text: str) -> bytes:
    try:
        return UUID(text).bytes
    except ValueError:
        return text.encode()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Problem(f"{text} is neither an audit id nor an index.", "See: audit search") from None


@contextmanager
def _told() -> Iterator[None]:
    """Turn what was found wrong into one line."""
    from services.common.errors import PlatformError
    from services.common.tlog import NoteError, ProofError
    from services.common.tlog.verify import LogError

    try:
        yield
    except LogError as error:
        where = f" ({error.path})" if error.path else ""
        raise Problem(f"{error.reason}: {error}{where}", "Keep the copy.") from None
    except (NoteError, ProofError) as error:
        raise Problem(f"{error.reason}: {error}", "Is this the right key and log?") from None
    except PlatformError as error:
        raise Problem(str(error), "See: idmesh audit --help") from None


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what shows how far it is, on a terminal."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), MofNCompleteColumn(), TextColumn(what))
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            if done % 1024 == 0 or done == total:
                progress.update(task, completed=done, total=total or None)

        yield show
