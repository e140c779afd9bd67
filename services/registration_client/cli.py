"""`idmesh packet`: a registration machine at the command line."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from services.common.biometrics import BiometricsError
from services.common.errors import PlatformError
from services.common.packet import Document
from services.registration_client.applicant import Applicant, Capture, Modality, cbeff_of
from services.registration_client.builder import PacketRefusedError, build_packet
from services.registration_client.enrolment import register_machine
from services.registration_client.machine_key import public_key_der
from services.registration_client.outbox import Outbox
from services.registration_client.settings import StationSettings
from services.registration_client.station import Connection, Station
from services.registration_client.station_client import StationClient

R = TypeVar("R")

_FIVE_DIGITS = "five digits"
_PAGE = 200
_SUFFIX = {".iso": "finger", ".fmr": "finger", ".iris": "iris", ".face": "face"}

folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("station"),
    show_default=True,
    help="The machine's folder.",
)


@click.group()
def packet() -> None:
    """Build registration packets offline; sync and upload them."""


@packet.command()
@folder_option
@click.option("--machine-id", required=True, help=f"The machine's id, {_FIVE_DIGITS}.")
@click.option("--centre-id", required=True, help=f"The centre's id, {_FIVE_DIGITS}.")
@click.option("--target", required=True, help="HOST:PORT of the edge.")
@click.option("--ca-file", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--server-name", default="", help="Name in the edge's certificate, if another.")
@click.option("--masterdata", default="", help="gRPC target of masterdata, to register there.")
@click.option("--tls-folder", default="", help="Folder of the operator-cli's certificate.")
def init(
    *,
    folder: Path,
    machine_id: str,
    centre_id: str,
    target: str,
    ca_file: str,
    server_name: str,
    masterdata: str,
    tls_folder: str,
) -> None:
    """Make the machine's key and folder; register the machine, or print its public key."""
    for name, value in (("--machine-id", machine_id), ("--centre-id", centre_id)):
        if len(value) != 5 or not value.isascii() or not value.isdigit():
            raise click.BadParameter(f"must be {_FIVE_DIGITS}", param_hint=name)
    if bool(masterdata) != bool(tls_folder):
        raise click.UsageError("--masterdata and --tls-folder go together")
    connection = Connection(machine_id, centre_id, target, ca_file, server_name)
    try:
        station = Station.make(folder, connection)
    except FileExistsError as error:
        raise click.ClickException(f"{folder} holds a station already.") from error
    click.echo(f"Made the machine's key in {folder}.")
    der = public_key_der(station.key)
    if masterdata:
        click.echo(f"Registering machine {machine_id} of centre {centre_id} ...")
        _run(register_machine(masterdata, tls_folder, machine_id, centre_id, der))
        click.echo("Registered.")
    else:
        click.echo("Register this public key (DER, base64) with masterdata:")
        click.echo(base64.b64encode(der).decode())


@packet.command()
@folder_option
def settings(folder: Path) -> None:
    """Fetch the packet key and the identity schema, for offline days."""
    station = _open(folder)
    fetched = _run(_fetch_settings(station))
    click.echo(
        f"Schema {fetched.schema_version:g}; packets of at most {fetched.max_packet_bytes} bytes, "
        f"sealed for {fetched.reference_id} until {fetched.x509().not_valid_after_utc:%Y-%m-%d}."
    )


@packet.command()
@folder_option
@click.option(
    "--fields",
    "fields_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON object: ID.json's fields by the schema's names.",
)
@click.option("--document", "documents", multiple=True, metavar="FIELD=TYPE=FILE")
@click.option("--cbeff", "cbeffs", multiple=True, metavar="FIELD=FILE", help="A CBEFF document.")
@click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="POSITION=FILE",
    help="A template of the applicant: .iso or .fmr finger 1-10, .iris eye 1-2, .face 0.",
)
@click.option("--process", default="NEW", show_default=True)
@click.option("--language", default="eng", show_default=True)
@click.option("--officer", default="officer", show_default=True)
@click.option("--supervisor", default="supervisor", show_default=True)
@click.option("--approved/--rejected", default=True, help="What the supervisor decided.")
def build(
    *,
    folder: Path,
    fields_file: Path,
    documents: Sequence[str],
    cbeffs: Sequence[str],
    templates: Sequence[str],
    process: str,
    language: str,
    officer: str,
    supervisor: str,
    approved: bool,
) -> None:
    """Build a packet from files, sign it and seal it into the outbox. Works offline."""
    station = _open(folder)
    known = station.settings() or _run(_fetch_settings(station))
    biometrics = {name: path.read_bytes() for name, path in map(_pair, cbeffs)}
    try:
        if templates:
            biometrics["individualBiometrics"] = cbeff_of(map(_capture, templates))
        applicant = Applicant(
            fields=json.loads(fields_file.read_text("utf-8")),
            documents=dict(map(_document, documents)),
            biometrics=biometrics,
            officer_id=officer,
            supervisor_id=supervisor,
        )
        sealed = build_packet(
            applicant,
            settings=known,
            machine_key=station.key,
            rid=station.next_rid(),
            process=process,
            language=language,
            supervisor_approved=approved,
        )
    except PacketRefusedError as error:
        raise click.ClickException("\n".join(["The packet is refused:", *error.problems])) from None
    except (BiometricsError, json.JSONDecodeError) as error:
        raise click.ClickException(str(error)) from error
    path = station.keep(sealed)
    click.echo(f"Sealed {sealed.size} bytes: {path}")
    click.echo(f"Registration {sealed.registration_id}")


@packet.command()
@folder_option
def sync(folder: Path) -> None:
    """Announce the packets in the outbox."""
    station = _open(folder)

    async def announce(client: StationClient) -> Outbox:
        outbox = Outbox(station, client)
        taken = await outbox.announce(station.waiting_ids())
        click.echo(f"Announced {len(taken)} packets.")
        return outbox

    _tell_refused(_run(_connected(station, announce)))


@packet.command()
@folder_option
@click.argument("packet_ids", nargs=-1)
def upload(folder: Path, packet_ids: Sequence[str]) -> None:
    """Upload announced packets: those named, or all in the outbox."""
    station = _open(folder)
    waiting = station.waiting_ids()
    if not set(packet_ids) <= set(waiting):
        raise click.ClickException("There is no such packet in the outbox.")

    async def send(client: StationClient) -> Outbox:
        outbox = Outbox(station, client)
        await _upload(outbox, packet_ids or waiting)
        return outbox

    _tell_refused(_run(_connected(station, send)))


@packet.command()
@folder_option
def send(folder: Path) -> None:
    """Announce and upload everything in the outbox."""
    station = _open(folder)
    waiting = station.waiting_ids()

    async def both(client: StationClient) -> Outbox:
        outbox = Outbox(station, client)
        click.echo(f"Announcing {len(waiting)} packets ...")
        sent = await _upload(outbox, await outbox.announce(waiting))
        click.echo(f"Sent {len(sent)} packets.")
        return outbox

    _tell_refused(_run(_connected(station, both)))


@packet.command()
@folder_option
@click.argument("registration_ids", nargs=-1)
def status(folder: Path, registration_ids: Sequence[str]) -> None:
    """Show where registrations stand: those named, or all that were sent."""
    station = _open(folder)
    wanted = list(registration_ids) or station.sent_registrations()

    async def ask(client: StationClient) -> None:
        for start in range(0, len(wanted), _PAGE):
            for each in await client.statuses(wanted[start : start + _PAGE]):
                reason = f" ({each.reason})" if each.reason else ""
                click.echo(
                    f"{each.registration_id}  {each.status}{reason}  {each.changed_at:%F %T}"
                )

    _run(_connected(station, ask))


async def _upload(outbox: Outbox, packet_ids: Sequence[str]) -> list[str]:
    starts: dict[str, int] = {}
    total = 0
    for each in packet_ids:
        starts[each] = total
        total += outbox.station.size_of(each)
    with click.progressbar(length=total, label=f"Uploading {len(packet_ids)} packets") as bar:
        return await outbox.upload(
            packet_ids, lambda packet_id, done: bar.update(starts[packet_id] + done - bar.pos)
        )


def _tell_refused(outbox: Outbox) -> None:
    """Say which packets the server will not take; they stay where they are."""
    if outbox.refused:
        lines = [f"{each}: {error.reason}" for each, error in outbox.refused.items()]
        raise click.ClickException("\n".join(["Refused, and kept in the outbox:", *lines]))


async def _fetch_settings(station: Station) -> StationSettings:
    async def fetch(client: StationClient) -> StationSettings:
        return await client.settings()

    fetched = await _connected(station, fetch)
    station.keep_settings(fetched)
    return fetched


async def _connected(
    station: Station, work: Callable[[StationClient], Coroutine[Any, Any, R]]
) -> R:
    connection = station.connection
    async with StationClient(
        connection.target,
        connection.ca_file,
        connection.machine_id,
        station.key,
        server_name=connection.server_name,
    ) as client:
        return await work(client)


def _run(work: Coroutine[Any, Any, R]) -> R:
    try:
        return asyncio.run(work)
    except PlatformError as error:
        raise click.ClickException(f"{error.reason}: {error.message}") from None


def _open(folder: Path) -> Station:
    try:
        return Station.open(folder)
    except FileNotFoundError:
        raise click.ClickException(f"{folder} holds no station: idmesh packet init.") from None
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _pair(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not Path(path).is_file():
        raise click.BadParameter(f"{text}: must be NAME=FILE, and FILE must exist")
    return name, Path(path)


def _document(text: str) -> tuple[str, Document]:
    name, _, rest = text.partition("=")
    kind, path = _pair(rest)
    return name, Document(kind, path.suffix.lstrip(".").lower() or "bin", path.read_bytes())


def _capture(text: str) -> Capture:
    position, path = _pair(text)
    modality = _SUFFIX.get(path.suffix.lower())
    if modality is None or not position.isdigit():
        raise click.BadParameter(f"{text}: must be POSITION=FILE, FILE .iso, .fmr, .iris or .face")
    kind: Modality = "finger" if modality == "finger" else "iris" if modality == "iris" else "face"
    return Capture(kind, int(position), path.read_bytes())


# What the `idmesh` command looks for in each of its parts.
command = packet
