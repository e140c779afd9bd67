"""`idmesh bench accuracy`: error rates on samples of known source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from matcher_ext import FingerTemplate, IrisTemplate, MatcherError, Template, similarity
from services.bench.rates import FMR_POINTS, Pairs, Rates, pairs_of, rank_one
from services.bench.samples import Samples, finger_files, samples_of
from services.local.problems import Problem

_HEAD = ("EER", *(f"FMR{round(1 / point)}" for point in FMR_POINTS))


def fingers(folder: Path, scores: Path | None, names: Path | None, *, resamples: int) -> None:
    """Compare all fingerprints of a folder with each other, and print the rates.

    Raises:
        Problem: the folder is laid out otherwise, or a file is no template.
    """
    files = finger_files(folder)
    samples = samples_of(list(files))
    found = _all_pairs([_template(file) for file in files.values()])
    _print_rates(found, samples, resamples)
    if scores is not None:
        np.save(scores, found, allow_pickle=False)
    if names is not None:
        names.write_text("".join(f"{name}\n" for name in files), encoding="utf-8")


def _print_rates(found: NDArray[np.float32], samples: Samples, resamples: int) -> None:
    pairs = pairs_of(found, samples.source)
    database = np.zeros(len(samples.sources), dtype=np.intp)
    database[samples.source] = samples.database
    click.echo(f"{'per cent':<16}{'mated':>8}{'non-mated':>11}" + _cells(_HEAD))
    rows: list[Rates] = []
    for number, name in enumerate(samples.databases):
        inside = (database[pairs.first] == number) & (database[pairs.second] == number)
        rows.append(_print_row(name, pairs.of(inside)))
    mean = np.mean([row.all for row in rows], axis=0)
    click.echo(f"{'mean':<16}{'':>19}" + _cells(f"{100 * rate:.2f}" for rate in mean))
    pooled = pairs_of(found, samples.source, same_source=samples.twins)
    _print_row("pooled", pooled)
    _print_intervals("finger", pooled, resamples)
    first = rank_one(np.maximum(found, found.T), samples.source, samples.sample)
    click.echo(f"rank-1 {100 * first:.2f} of {len(samples.sources)} fingers")


def irises(file: Path, *, resamples: int) -> None:
    """Compare all iris codes of a file with each other, and print the rates.

    Raises:
        Problem: the file holds something else.
    """
    templates, source, names = _codes(file)
    pairs = pairs_of(_all_pairs(templates), source)
    click.echo(f"{'per cent':<16}{'mated':>8}{'non-mated':>11}" + _cells(_HEAD))
    _print_row("lossless", pairs)
    _print_intervals("eye", pairs, resamples)
    click.echo(f"{len(names)} eyes, {len(templates)} codes")


def _template(file: Path) -> FingerTemplate:
    try:
        return FingerTemplate.from_record(file.read_bytes())
    except MatcherError as error:
        raise Problem(f"{file}: {error}", "Leave out what is no template.") from None


def _codes(file: Path) -> tuple[list[IrisTemplate], NDArray[np.intp], list[str]]:
    layout = "It holds `code` and `mask`, uint8 (n, 256), and `label`, the eye of each."
    try:
        with np.load(file, allow_pickle=False) as held:
            code, mask, label = held["code"], held["mask"], held["label"]
        names, source = np.unique(label, return_inverse=True)
        templates = [IrisTemplate(one, other) for one, other in zip(code, mask, strict=True)]
    except (KeyError, ValueError, OSError, MatcherError) as error:
        raise Problem(f"{file} holds no iris codes: {error}", layout) from None
    return templates, source.astype(np.intp), [str(name) for name in names]


def _all_pairs(templates: Sequence[Template]) -> NDArray[np.float32]:
    made = np.zeros((len(templates), len(templates)), dtype=np.float32)
    for row in track(
        range(len(templates)), "Comparing", console=Console(stderr=True), transient=True
    ):
        for column in range(row, len(templates)):
            one = similarity(templates[row], templates[column])
            made[row, column] = made[column, row] = one
    return made


def _print_row(name: str, pairs: Pairs) -> Rates:
    found = pairs.rates()
    mated = int(pairs.mated.sum())
    click.echo(
        f"{name:<16}{mated:>8}{len(pairs.mated) - mated:>11}"
        + _cells(f"{100 * rate:.2f}" for rate in found.all)
    )
    return found


def _print_intervals(source: str, pairs: Pairs, resamples: int) -> None:
    click.echo(
        f"{f'  95 %, by {source}':<35}"
        + _cells(
            f"{100 * low:.1f}-{100 * high:.1f}" for low, high in pairs.intervals(samples=resamples)
        )
    )


def _cells(values: Iterable[str]) -> str:
    return "".join(f"{value:>11}" for value in values)
