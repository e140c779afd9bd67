"""Draws docs/synthetic.svg: how alike generated captures are, beside real ones.

python -m services.bench.realism --data ../shared/data --out docs/synthetic.svg
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from matcher_ext import Template
from matcher_ext.synthetic import Population
from services.bench.calibration import Floats, Scores, compare_all, faces, fingers, irises, to_logit

DATABASES: Final = ("DB1_B", "DB2_B", "DB3_B", "DB4_B")
SOURCES: Final = 70
CAPTURES: Final = 5
WIDTH, HEIGHT, MARGIN = 340, 240, 46
BINS: Final = 50


@dataclass(frozen=True)
class Curve:
    """One distribution; solid if it is of real templates."""

    name: str
    scores: Floats
    colour: str
    real: bool


def generated(modality: str) -> Scores:
    """Compare generated fingers or irises."""
    population = Population(seed=2)
    templates: list[Template] = []
    source: list[str] = []
    for person, capture in itertools.product(range(SOURCES), range(CAPTURES)):
        if modality == "finger":
            templates.append(population.finger(person, person % 10 + 1, capture))
        else:
            templates.append(population.iris(person, person % 2 + 1, capture))
        source.append(str(person))
    found = compare_all(templates, np.array(source))
    if modality == "finger":
        return Scores(to_logit(found.mated), to_logit(found.non_mated))
    return found


def panel(title: str, axis: str, curves: Sequence[Curve], low: float, high: float) -> str:
    """Return one plot: densities over [low, high], each scaled to its highest."""
    parts = [f'<text x="{WIDTH / 2}" y="18" text-anchor="middle" font-weight="bold">{title}</text>']
    bottom = HEIGHT - MARGIN
    parts.append(f'<path d="M{MARGIN / 2} {bottom}H{WIDTH - 8}" stroke="#444"/>')
    for tick in np.linspace(low, high, 6):
        x = _across(float(tick), low, high)
        parts.append(f'<path d="M{x:.1f} {bottom}v4" stroke="#444"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{axis}</text>')
    for number, curve in enumerate(curves):
        dash = "" if curve.real else ' stroke-dasharray="5 3"'
        style = f'fill="none" stroke="{curve.colour}" stroke-width="1.6"{dash}'
        parts.append(f'<path d="{_line(curve.scores, low, high)}" {style}/>')
        y = 36 + 14 * number
        parts.append(f'<path d="M{WIDTH - 130} {y - 4}h22" {style}/>')
        parts.append(f'<text x="{WIDTH - 104}" y="{y}">{curve.name}</text>')
    return "\n".join(parts)


def _across(x: float, low: float, high: float) -> float:
    return MARGIN / 2 + (WIDTH - MARGIN / 2 - 8) * (x - low) / (high - low)


def _line(scores: Floats, low: float, high: float) -> str:
    counts, edges = np.histogram(np.clip(scores, low, high), bins=BINS, range=(low, high))
    share: NDArray[np.float64] = np.convolve(counts, (0.25, 0.5, 0.25), mode="same")
    share = share / share.max()
    middles = (edges[:-1] + edges[1:]) / 2
    points = (
        f"{_across(float(x), low, high):.1f} {HEIGHT - MARGIN - (HEIGHT - MARGIN - 30) * y:.1f}"
        for x, y in zip(middles, share, strict=True)
    )
    return "M" + "L".join(points)


def curves_of(name: str, scores: Scores, colours: tuple[str, str], *, real: bool) -> list[Curve]:
    """Return both curves of one origin."""
    return [
        Curve(f"{name}, non-mated", scores.non_mated, colours[1], real),
        Curve(f"{name}, mated", scores.mated, colours[0], real),
    ]


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(data: Path, out: Path) -> None:
    """Compare, draw, and print quantiles."""
    blue, grey = ("#0b63c5", "#7a7a7a"), ("#d9480f", "#e8a33d")
    odd, even = irises(data, 1), irises(data, 0)
    eyes = Scores(
        np.concatenate([odd.mated, even.mated]), np.concatenate([odd.non_mated, even.non_mated])
    )
    ours, made_eyes = generated("finger"), generated("iris")
    panels = [
        panel(
            "Fingers",
            "logit of the similarity",
            curves_of("FVC2002", fingers(data, DATABASES), blue, real=True)
            + curves_of("generated", ours, grey, real=False),
            -8.0,
            18.0,
        ),
        panel(
            "Irises",
            "similarity (1 - distance)",
            curves_of("MMU", eyes, blue, real=True)
            + curves_of("generated", made_eyes, grey, real=False),
            0.5,
            1.0,
        ),
        panel(
            "Faces (no real data)",
            "cosine",
            curves_of("generated", faces(2), grey, real=False),
            -0.3,
            1.0,
        ),
    ]
    shifted = "\n".join(
        f'<g transform="translate({number * WIDTH} 0)">\n{one}\n</g>'
        for number, one in enumerate(panels)
    )
    out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {3 * WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{shifted}\n</svg>\n'
    )
    for name, scores in (("fingers", ours), ("irises", made_eyes)):
        click.echo(f"{name} mated {np.quantile(scores.mated, (0.01, 0.1, 0.5, 0.9)).round(2)}")


if __name__ == "__main__":
    main()
