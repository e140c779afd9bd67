"""`idmesh bench accuracy`: error rates on samples of known source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from matcher_ext import (
    FingerTemplate,
    IrisTemplate,
    MatcherError,
    Template,
    similarity,
    threshold_at_fmr,
)
from matcher_ext.columns import FingerColumn, IrisColumn, finger_shares
from matcher_ext.people import MAX_PROBES
from services.bench.rates import FMR_POINTS, Pairs, Rates, pairs_of, rank_one
from services.bench.samples import Samples, finger_files, samples_of
from services.local.problems import Problem

_ACCEPTED_FMR = 1e-3
# What of the shares of a search is tried: half, all, twice and five times as many compared.
_COMPARED = (0.5, 1.0, 2.0, 5.0)
# Of a similarity of 0.5, and the one at which the cascade's loss is told.
_SHORTLIST_FMR = (1e-4, 1e-3)
_HEAD = ("EER", *(f"FMR{round(1 / point)}" for point in FMR_POINTS))


def fingers(folder: Path, scores: Path | None, names: Path | None, *, resamples: int) -> None:
    """Compare all fingerprints of a folder with each other, and print the rates.

    Raises:
        Problem: the folder is laid out otherwise, or a file is no template.
    """
    files = finger_files(folder)
    samples = samples_of(list(files))
    templates = [_template(file) for file in files.values()]
    found = _all_pairs(templates)
    _print_rates(found, samples, resamples)
    _print_shortlist(templates, found, samples)
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
    _print_two_stages(templates, pairs)


def _print_shortlist(
    templates: Sequence[FingerTemplate], found: NDArray[np.float32], samples: Samples
) -> None:
    """What is lost if only the most promising are compared in full.

    Each fingerprint is searched among all others, as a search of one finger does it: those whom the
    scan likes best are compared, the next refined, and the best of these compared. A mated one that
    would be accepted is lost if strangers push it out; a tie counts against it. A gallery as small
    as this is searched whole: the shares are those of a large one.
    """
    column = FingerColumn(len(templates))
    column.extend(templates)
    lost = {(fmr, more): 0 for fmr in _SHORTLIST_FMR for more in _COMPARED}
    accepted = dict.fromkeys(_SHORTLIST_FMR, 0)
    for probe, template in enumerate(templates):
        strangers = samples.source != samples.source[probe]
        mates = ~strangers
        mates[probe] = False
        for more in _COMPARED:
            missed = mates & ~_shortlisted(column, template, strangers, more)
            for fmr in _SHORTLIST_FMR:
                lost[fmr, more] += int((missed & (found[probe] >= threshold_at_fmr(fmr))).sum())
        for fmr in _SHORTLIST_FMR:
            accepted[fmr] += int((mates & (found[probe] >= threshold_at_fmr(fmr))).sum())
    click.echo("shortlist of a search by one finger: mated pairs lost that comparing accepts")
    for fmr in _SHORTLIST_FMR:
        cells = ", ".join(
            f"{more:g}x compared {lost[fmr, more]} ({100 * lost[fmr, more] / accepted[fmr]:.2f} %)"
            for more in _COMPARED
            if accepted[fmr]
        )
        click.echo(f"  of {accepted[fmr]} at an FMR of {100 * fmr:g} %: {cells}")


def _shortlisted(
    column: FingerColumn, probe: FingerTemplate, strangers: NDArray[np.bool_], more: float
) -> NDArray[np.bool_]:
    """Whom a search would compare, were all but `strangers` alone in the gallery with these."""
    shares = finger_shares(probe)
    count = int(strangers.sum())
    trusted, refined, compared = (
        min(count - 1, round(share * count))
        for share in (more * shares.trusted, shares.refined, more * shares.compared)
    )
    scanned = column.scan(probe)
    order = np.sort(scanned[strangers])[::-1]
    looked_at = scanned > (order[refined] if shares.refined < 1.0 else -1)
    at_once = scanned > order[trusted]
    promise = column.refine(probe, np.arange(len(strangers), dtype=np.uint32))
    others = np.sort(promise[strangers & looked_at & ~at_once])[::-1]
    room = compared - int((strangers & at_once).sum())
    promising = promise > (others[room] if room < len(others) else -1.0)
    shortlisted: NDArray[np.bool_] = at_once | (looked_at & promising)
    return shortlisted


def _print_two_stages(templates: Sequence[IrisTemplate], pairs: Pairs) -> None:
    """What the gate of two stages loses of what the lossless one accepts, and what it lets pass."""
    column = IrisColumn(len(templates))
    column.extend(templates)
    strangers = np.sort(pairs.similarity[~pairs.mated])
    least = float(strangers[-max(1, round(_ACCEPTED_FMR * len(strangers)))])
    hit = np.zeros((len(templates), len(templates)), dtype=bool)
    for first in range(0, len(templates), MAX_PROBES):
        probes = templates[first : first + MAX_PROBES]
        words = column.gate(probes, least, two_stage=True)
        bits = words[None, :] >> np.arange(len(probes), dtype=np.uint64)[:, None]
        hit[first : first + len(probes)] = (bits & np.uint64(1)).astype(bool)
    passed = hit[np.triu_indices(len(templates), 1)]
    accepted = pairs.mated & (pairs.similarity >= least)
    lost = int((accepted & ~passed).sum())
    click.echo(
        f"two stages: {lost} of {int(accepted.sum())} mated pairs lost that are accepted at an FMR"
        f" of {100 * _ACCEPTED_FMR:g} % (similarity {least:.3f});"
        f" {100 * passed[~pairs.mated].mean():.2f} % of the non-mated pass"
    )


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
