"""`idmesh bench accuracy`: error rates on samples of known source."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

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
    templates = [_template(file) for file in files.values()]
    similarity = _all_pairs(templates)
    _print_rates(similarity, samples, resamples)
    _print_shortlist(templates, similarity, samples)
    if scores is not None:
        np.save(scores, similarity, allow_pickle=False)
    if names is not None:
        names.write_text("".join(f"{name}\n" for name in files), encoding="utf-8")


def _print_rates(similarity: NDArray[np.float32], samples: Samples, resamples: int) -> None:
    pairs = pairs_of(similarity, samples.source)
    database = _database_of(samples)
    click.echo(f"{'per cent':<16}{'mated':>8}{'non-mated':>11}" + _cells(_HEAD))
    rows: list[Rates] = []
    for number, name in enumerate(samples.databases):
        inside = (database[pairs.first] == number) & (database[pairs.second] == number)
        rows.append(_print_row(name, pairs.of(inside)))
    mean = np.mean([row.all for row in rows], axis=0)
    click.echo(f"{'mean':<16}{'':>19}" + _cells(f"{100 * rate:.2f}" for rate in mean))
    pooled = pairs_of(similarity, samples.source, same_source=samples.twins)
    _print_row("pooled", pooled)
    intervals = pooled.intervals(samples=resamples)
    click.echo(
        f"{'  95 %, by finger':<35}"
        + _cells(f"{100 * low:.1f}-{100 * high:.1f}" for low, high in intervals)
    )
    first = rank_one(np.maximum(similarity, similarity.T), samples.source, samples.sample)
    click.echo(f"rank-1 {100 * first:.2f} of {len(samples.sources)} fingers")


def irises(codes: Path, *, resamples: int) -> None:
    """Compare all iris codes of a file with each other, and print rates and two-stage loss.

    Raises:
        Problem: the file holds something else.
    """
    code, mask, label = _codes(codes)
    names, source = np.unique(label, return_inverse=True)
    similarity = compare_all_irises(code, mask)
    pairs = pairs_of(similarity, source.astype(np.intp))
    click.echo(f"{'per cent':<16}{'mated':>8}{'non-mated':>11}" + _cells(_HEAD))
    found = _print_row("lossless", pairs)
    intervals = pairs.intervals(samples=resamples)
    click.echo(
        f"{'  95 %, by eye':<35}"
        + _cells(f"{100 * low:.1f}-{100 * high:.1f}" for low, high in intervals)
    )
    del found
    least = float(np.sort(pairs.similarity[~pairs.mated])[-max(1, (~pairs.mated).sum() // 1000)])
    first, second = np.triu_indices(len(source), 1)
    hit = two_stage_hits(code, mask, least)[first, second]
    accepted = pairs.mated & (pairs.similarity >= least)
    click.echo(
        f"two stages, from similarity {least:.3f} (FMR1000): "
        f"{(accepted & ~hit).sum()} of {accepted.sum()} accepted mated pairs lost, "
        f"{100 * hit[~pairs.mated].mean():.2f} % of non-mated pairs pass; "
        f"{len(names)} eyes"
    )
