"""`idmesh bench`: what can be measured."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from services.bench import processes

data_folder_option = click.option(
    "--data-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".idmesh-bench"),
    show_default=True,
    help="A mesh that runs there is used; else one is started there and stopped at the end.",
)


@click.group(name="bench")
def command() -> None:
    """Measure. Every figure is of this machine, with the load generator on it."""


@command.command()
@data_folder_option
@click.option("--people", type=click.IntRange(1), default=150, show_default=True)
@click.option("--in-flight", type=click.IntRange(1), default=8, show_default=True)
def enrol(*, data_folder: Path, people: int, in_flight: int) -> None:
    """Enrolments per second: packet upload to UIN, templates in the packet."""
    from services.bench import enrolment

    with processes.mesh(data_folder) as mesh:
        asyncio.run(enrolment.run(mesh, people, in_flight))


@command.command()
@data_folder_option
@click.option("--requests", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--people", type=click.IntRange(1), default=20, show_default=True)
@click.option("--in-flight", type=click.IntRange(1), default=10, show_default=True)
def auth(*, data_folder: Path, requests: int, people: int, in_flight: int) -> None:
    """Authentications per second over REST, full cryptography, every answer verified."""
    from services.bench import authentication

    with processes.mesh(data_folder) as mesh:
        asyncio.run(authentication.run(mesh, requests, people, in_flight))


@command.command()
@data_folder_option
def start(*, data_folder: Path) -> None:
    """Start-up, cold and warm, and what each process needs."""
    from services.bench import startup

    startup.run(data_folder)


@command.command()
@click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Fingerprints: a folder DATABASE/FINGER_IMPRESSION.iso of ISO/IEC 19794-2 records.",
)
@click.option(
    "--scores",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the similarities of all fingerprints here, as a NumPy array (n, n).",
)
@click.option(
    "--names",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the names of the fingerprints here, a line for each row of --scores.",
)
@click.option(
    "--iris",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Irises: a .npz with code and mask, uint8 (n, 256), and label, the eye of each.",
)
@click.option(
    "--people",
    type=click.IntRange(64),
    help="Generated people: count what the cascade of a search loses among so many.",
)
@click.option("--resamples", type=click.IntRange(10), default=200, show_default=True)
def accuracy(
    *,
    templates: Path | None,
    scores: Path | None,
    names: Path | None,
    iris: Path | None,
    people: int | None,
    resamples: int,
) -> None:
    """Error rates of the matcher on samples of known source, all pairs, with intervals."""
    from services.bench import accuracy as measured
    from services.bench import cascade_loss

    if templates is None and iris is None and people is None:
        raise click.UsageError("Give --templates, --iris or --people.")
    if templates is None and (scores or names):
        raise click.UsageError("--scores and --names go with --templates.")
    if templates is not None:
        measured.fingers(templates, scores, names, resamples=resamples)
    if iris is not None:
        measured.irises(iris, resamples=resamples)
    if people is not None:
        cascade_loss.run(people, min(people, 4_000))


@command.command()
@click.option("--faces", type=click.IntRange(64), default=400_000, show_default=True)
@click.option("--irises", type=click.IntRange(64), default=400_000, show_default=True)
@click.option("--fingers", type=click.IntRange(64), default=200_000, show_default=True)
@click.option(
    "--people",
    type=click.IntRange(0),
    default=100_000,
    show_default=True,
    help="Also search people with ten fingers, two irises and a face; about 12 KB of memory each.",
)
def match(*, faces: int, irises: int, fingers: int, people: int) -> None:
    """Searches of the matcher, beside its peers and the limits of the machine."""
    from services.bench import match as measured

    measured.run(faces, irises, fingers)
    if people:
        from services.bench import match_people

        match_people.run(people)


@command.command()
@click.argument("parts", nargs=-1, metavar="[PART]...")
@click.option(
    "--seconds",
    type=click.FloatRange(0.01),
    default=1.0,
    show_default=True,
    help="How long each figure is measured.",
)
@click.option("--in-flight", type=click.IntRange(1), default=32, show_default=True)
@click.option(
    "--threads",
    type=click.IntRange(2),
    default=16,
    show_default=True,
    help="Of the peer that has no event loop.",
)
def keys(*, parts: tuple[str, ...], seconds: float, in_flight: int, threads: int) -> None:
    """What keys, tokens and the audit log cost.

    PART: vault (calls beside hvac's), tokens, audit. All of them if none is named. The servers
    that a part needs are started for the time of the measurement.
    """
    from services.bench import keys as measured

    unknown = sorted(set(parts) - set(measured.PARTS))
    if unknown:
        raise click.UsageError(f"{unknown[0]}: parts are {', '.join(measured.PARTS)}.")
    measured.run(parts, measured.Options(seconds, in_flight, threads))
