"""Fits the evidence tables of the person score, and says how good they are.

    python -m services.bench.calibration --data ../shared/data

prints the knots of matcher_ext/src/score/tables.cpp, fitted to minutiae of two extractors on
FVC2002 DB1_B and DB3_B, to the eyes of MMU v1 with odd numbers, and to synthetic faces; and checks
them on the fingers of DB2_B and DB4_B, the other eyes, and other faces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from matcher_ext import FingerTemplate, IrisTemplate, Modality, Template, person_score, similarity
from matcher_ext.synthetic import Population

Floats = NDArray[np.float64]

# Where evidence ends: what no data shows is not promised.
MOST: Final = {Modality.FINGER: 24.0, Modality.IRIS: 30.0, Modality.FACE: 20.0}
RATES: Final = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
FACES: Final = 1500
# A threshold is that of this share of its rate: other sensors are a little worse than ours.
RATE_MARGIN: Final = 0.5

# Of the non-mated scores used, beyond which the tail is fitted rather than counted.
TAIL_SHARE: Final = 0.004
# Mated comparisons of a spoilt or exchanged sample say nothing: they bound the evidence below.
SPOILT_SHARE: Final = 0.02


@dataclass(frozen=True)
class Calibration:
    """Evidence (natural log of the likelihood ratio), piecewise linear in x, its ends holding."""

    at: Floats
    llr: Floats

    def __call__(self, x: Floats) -> Floats:
        """Return the evidence at x."""
        return np.interp(x, self.at, self.llr)


def fit(mated: Floats, non_mated: Floats, *, most: float, tail_slope: float = 0.75) -> Calibration:
    """Fit rising evidence to scores on a scale on which the non-mated tail falls exponentially.

    Within the data it is the logistic regression on a rising piecewise linear function, mated and
    non-mated given equal weight. In the tail the slope is that of an exponential tail with the
    mean excess found, times tail_slope: below 1, so that the mean ratio stays finite and a heavier
    tail than the data shows is allowed for.
    """
    start = float(np.quantile(non_mated, 1.0 - TAIL_SHARE))
    excess = non_mated[non_mated > start] - start
    slope = tail_slope / float(excess.mean())
    edges = np.quantile(non_mated, (0.02, 0.2, 0.5, 0.8, 0.95, 1.0 - TAIL_SHARE))
    level, slopes = _logistic(mated, non_mated, edges, slope)
    llr = level + np.concatenate([[0.0], np.cumsum(slopes * np.diff(edges))])
    # What spoilt samples do to the ratio: (1 - s) LR + s.
    llr = np.logaddexp(np.log1p(-SPOILT_SHARE) + llr, math.log(SPOILT_SHARE))
    steps = max(2, math.ceil((most - llr[-1]) / 1.0))
    reach = np.linspace(0.0, (most - llr[-1]) / slope, steps + 1)[1:]
    return Calibration(
        np.concatenate([edges, edges[-1] + reach]),
        np.concatenate([llr, llr[-1] + slope * reach]),
    )


def _logistic(
    mated: Floats, non_mated: Floats, edges: Floats, beyond: float
) -> tuple[float, Floats]:
    """Return the level at the first edge and a slope >= 0 between every two edges.

    beyond: the slope after the last edge, which is given.
    """
    x = np.concatenate([mated, non_mated])[:, None]
    ramps = np.clip(x, edges[:-1], edges[1:]) - edges[:-1]
    design = np.column_stack([np.ones(len(x)), ramps])
    given = beyond * np.maximum(0.0, x[:, 0] - edges[-1])
    is_mated = np.concatenate([np.ones(len(mated)), np.zeros(len(non_mated))])
    weight = np.where(is_mated > 0, 0.5 / len(mated), 0.5 / len(non_mated))
    found = np.zeros(design.shape[1])
    ridge = np.full(len(found), 1e-7)
    for _ in range(60):
        share = 1.0 / (1.0 + np.exp(-np.clip(design @ found + given, -40, 40)))
        gradient = design.T @ (weight * (share - is_mated)) + ridge * found
        curved = design.T @ (design * (weight * share * (1 - share))[:, None])
        free = np.ones(len(found), dtype=bool)
        free[1:] = (found[1:] > 0) | (gradient[1:] < 0)
        step = np.zeros(len(found))
        inner = curved[np.ix_(free, free)] + np.diag(ridge[free])
        step[free] = np.linalg.solve(inner, gradient[free])
        found = found - step * min(1.0, 3.0 / max(1e-9, float(np.abs(step).max())))
        found[1:] = np.maximum(found[1:], 0.0)
    return float(found[0]), found[1:]


def cllr(mated: Floats, non_mated: Floats) -> float:
    """Return the cost of evidence in bits: 0 is perfect, 1 says nothing. Source: Bruemmer, 2006."""
    bits = np.logaddexp(0, -mated).mean() + np.logaddexp(0, non_mated).mean()
    return float(bits / (2 * math.log(2)))


@dataclass(frozen=True)
class Scores:
    """Scores on the scale on which they are fitted: of fingers the logit.

    parts: the non-mated ones by where they come from; the worst of them sets the thresholds.
    """

    mated: Floats
    non_mated: Floats
    parts: tuple[Floats, ...] = ()


def to_logit(similarity_of_fingers: Floats) -> Floats:
    """Return the evidence inside a finger similarity: its tail falls exponentially."""
    inside = np.clip(similarity_of_fingers, 1e-7, 1.0 - 6e-8)
    return np.log(inside / (1.0 - inside))


def from_logit(logit: Floats) -> Floats:
    """Return the finger similarity."""
    return 1.0 / (1.0 + np.exp(-logit))


def compare_all(templates: Sequence[Template], source: NDArray[np.str_]) -> Scores:
    """Compare all pairs of templates; those of one source are mated."""
    mated: list[float] = []
    non_mated: list[float] = []
    for i, probe in enumerate(templates):
        for j in range(i + 1, len(templates)):
            (mated if source[i] == source[j] else non_mated).append(similarity(probe, templates[j]))
    return Scores(np.array(mated), np.array(non_mated))


def fingers(data: Path, databases: tuple[str, ...]) -> Scores:
    """Compare fingers of FVC2002 inside each extractor's minutiae."""
    of_all = []
    for extractor in ("leader", "mindtct"):
        folder = data / "fingerprint" / "fvc2002" / extractor
        files = sorted(file for name in databases for file in (folder / name).glob("*.iso"))
        templates = [FingerTemplate.from_record(file.read_bytes()) for file in files]
        source = np.array([f"{file.parent.name}/{file.stem.split('_')[0]}" for file in files])
        of_all.append(compare_all(templates, source))
    return Scores(
        to_logit(np.concatenate([one.mated for one in of_all])),
        to_logit(np.concatenate([one.non_mated for one in of_all])),
        tuple(to_logit(one.non_mated) for one in of_all),
    )


def irises(data: Path, remainder: int) -> Scores:
    """Compare eyes of MMU v1 of the people whose number modulo 2 is the remainder."""
    codes = np.load(data / "iris" / "mmu_codes.npz")
    here = [k for k, name in enumerate(codes["label"]) if int(name.split("/")[0]) % 2 == remainder]
    templates = [IrisTemplate(codes["code"][k].tobytes(), codes["mask"][k].tobytes()) for k in here]
    return compare_all(templates, codes["label"][here])


def faces(seed: int) -> Scores:
    """Compare synthetic faces, by cosine."""
    population = Population(seed)
    first, second = (
        np.array([population.face_capture(person, capture) for person in range(FACES)])
        for capture in (1, 2)
    )
    cosine = (first @ second.T).astype(np.float64)
    same = np.eye(FACES, dtype=bool)
    return Scores(cosine[same], cosine[~same])


def thresholds(non_mated: Floats) -> Floats:
    """Return the score that each of RATES asks for: counted, in the tail fitted."""
    start = float(np.quantile(non_mated, 1.0 - TAIL_SHARE))
    excess = float((non_mated[non_mated > start] - start).mean())
    counted = [
        float(np.quantile(non_mated, 1.0 - rate))
        if rate >= TAIL_SHARE
        else start + excess * math.log(TAIL_SHARE / rate)
        for rate in (RATE_MARGIN * asked for asked in RATES)
    ]
    return np.array(counted)


def dependence(evidence: Floats) -> float:
    """Return the mean correlation between the columns: fingers of two people, a row for each two.

    The variance of the sum is (1 + (columns - 1) * it) times that of independent columns.
    """
    columns = evidence.shape[1]
    inflated = evidence.sum(axis=1).var(ddof=1) / evidence.var(axis=0, ddof=1).sum()
    return float((inflated - 1.0) / (columns - 1))


def print_table(name: str, made: Calibration, scale: Callable[[Floats], Floats]) -> None:
    """Print C++."""
    click.echo(f"constexpr LlrKnot {name}[] = {{")
    for at, llr in zip(scale(made.at), made.llr, strict=True):
        click.echo(f"    {{{at:#.8g}F, {llr:.3f}F}},")
    click.echo("};")


def print_check(what: str, llr: Callable[[Floats], Floats], found: Scores) -> None:
    """Print how good evidence is on scores: the tail is right where no ratio is above 1."""
    mated, non_mated = llr(found.mated), llr(found.non_mated)
    mean_ratio = float(np.exp(non_mated).mean())
    tail = [f"{float((non_mated >= at).mean()) * math.exp(at):.3f}" for at in (2.0, 4.0, 6.0)]
    click.echo(
        f"// {what}: {len(mated)} mated, {len(non_mated)} non-mated, "
        f"Cllr {cllr(mated, non_mated):.3f}, "
        f"EER {100 * eer(mated, non_mated):.2f} %, mean non-mated ratio {mean_ratio:.3f}, "
        f"P(llr >= t) exp(t) at 2, 4, 6: {' '.join(tail)}"
    )


def eer(mated: Floats, non_mated: Floats) -> float:
    """Return the rate at which FMR and FNMR cross."""
    at = np.unique(np.concatenate([mated, non_mated]))
    fmr = 1 - np.searchsorted(np.sort(non_mated), at, "left") / len(non_mated)
    fnmr = np.searchsorted(np.sort(mated), at, "left") / len(mated)
    crossing = int(np.argmin(np.abs(fmr - fnmr)))
    return float(fmr[crossing] + fnmr[crossing]) / 2


def same_scale(x: Floats) -> Floats:
    """Irises and faces are fitted as they are."""
    return x


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
def main(data: Path) -> None:
    """Fit, print the tables, check."""
    for name, modality, fitted, held_out, scale in (
        (
            "Finger",
            Modality.FINGER,
            fingers(data, ("DB1_B", "DB3_B")),
            fingers(data, ("DB2_B", "DB4_B")),
            from_logit,
        ),
        ("Iris", Modality.IRIS, irises(data, 1), irises(data, 0), same_scale),
        ("Face", Modality.FACE, faces(1), faces(2), same_scale),
    ):
        made = fit(fitted.mated, fitted.non_mated, most=MOST[modality])
        print_table(f"k{name}", made, scale)
        of_parts = [thresholds(part) for part in fitted.parts or (fitted.non_mated,)]
        at = np.max(of_parts, axis=0)
        rates = ", ".join(
            f"{{{rate:.0e}, {one:.4f}}}" for rate, one in zip(RATES, scale(at), strict=True)
        )
        click.echo(f"constexpr RateKnot k{name}Rates[] = {{{rates}}};")
        print_check(f"{name}, fitted", made, fitted)
        print_check(f"{name}, held out", made, held_out)

        def built_in(
            x: Floats, modality: Modality = modality, scale: Callable[[Floats], Floats] = scale
        ) -> Floats:
            return np.array([person_score.llr(modality, float(one)) for one in scale(x)])

        print_check(f"{name}, held out, by the tables built in", built_in, held_out)


if __name__ == "__main__":
    main()
