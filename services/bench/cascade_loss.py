"""What the cascade loses of what comparing with everybody finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from rich.console import Console
from rich.progress import track

from matcher_ext.people import People, Positions
from matcher_ext.person_score import score_at_fpir
from matcher_ext.synthetic import USUAL_BAD_CAPTURES, Population
from matcher_ext.templates import FaceTemplate, FingerTemplate, IrisTemplate, Template

BATCH: Final = 64
# So few probes at a time have the fingers of everybody scanned.
FEW: Final = 4
_FPIR: Final = 1e-3
_SEARCHED_AS: Final = {
    Positions.GIVEN: "",
    Positions.SWAPPED_HANDS: ", hands swapped",
    Positions.ANY: ", any position",
}
# One in so many of the probes is searched.
_SHARES: Final = {Positions.GIVEN: 1, Positions.SWAPPED_HANDS: 2, Positions.ANY: 16}
_CONFIDENCE: Final = 0.95

Person = list[tuple[int, Template]]


def run(people: int, probes: int) -> None:
    """Search generated people among others, captures going wrong as usual, and count losses.

    A search is accepted if comparing the probe with its mate 1:1 reaches the score that the gallery
    asks for: then an exhaustive search finds the mate. It is lost if the cascade does not.
    """
    population = Population(seed=6, bad=USUAL_BAD_CAPTURES)
    console = Console(stderr=True)
    gallery = People()
    for number in track(range(people), "Enrolling", console=console, transient=True):
        if enrolled := population.capture(number, 1):
            gallery.add(_reference_id(number), enrolled)
    gallery.seal()
    least = score_at_fpir(len(gallery), _FPIR)
    taken = [
        (number, population.capture(number, 2))
        for number in track(range(probes), "Capturing", console=console, transient=True)
    ]
    click.echo(
        f"{people} people, candidates from score {least:.1f} (FPIR {_FPIR:g}), usual bad captures"
    )
    click.echo(f"{'searched by':<56}{'accepted':>10}{'lost':>7}{'at most':>10}")
    for positions in Positions:
        for name, kinds in (
            ("fingers, irises, face", (FingerTemplate, IrisTemplate, FaceTemplate)),
            ("fingers, irises", (FingerTemplate, IrisTemplate)),
            ("fingers", (FingerTemplate,)),
            ("irises", (IrisTemplate,)),
        ):
            given = [
                (number, _misplaced(probe, positions))
                for number, session in taken
                if (probe := [one for one in session if isinstance(one[1], kinds)])
            ]
            for size in (FEW, BATCH):
                # Scanning everybody's fingers takes its time, the more so in more places; a part
                # of the probes must do.
                share = _SHARES[positions] * (1 if size == BATCH else 4)
                part = given[: len(given) // share]
                accepted, lost = _count(gallery, part, least, size, positions)
                bound = _at_most(lost, accepted)
                what = f"{name}{_SEARCHED_AS[positions]}, {size} at a time"
                click.echo(f"{what:<56}{accepted:>10}{lost:>7}{100 * bound:>8.2f} %")


def _misplaced(probe: Person, positions: Positions) -> Person:
    """Put samples where the search has to look for them: other hands, or anywhere."""
    if positions is Positions.GIVEN:
        return probe
    further = 5 if positions is Positions.SWAPPED_HANDS else 3
    moved: Person = []
    for position, template in probe:
        if isinstance(template, FingerTemplate):
            moved.append(((position - 1 + further) % 10 + 1, template))
        elif isinstance(template, IrisTemplate):
            moved.append((3 - position, template))
        else:
            moved.append((position, template))
    return moved


def _count(
    gallery: People,
    given: Sequence[tuple[int, Person]],
    least: float,
    size: int,
    positions: Positions,
) -> tuple[int, int]:
    accepted = lost = 0
    for first in range(0, len(given), size):
        batch = given[first : first + size]
        probes = [probe for _, probe in batch]
        answers = gallery.identify(probes, min_score=least, positions=positions)
        for (number, probe), answer in zip(batch, answers, strict=True):
            mate = _reference_id(number)
            if mate not in gallery:
                continue
            if gallery.verify(mate, probe, positions=positions).score >= least:
                accepted += 1
                lost += all(one.reference_id != mate for one in answer.candidates)
    return accepted, lost


def _at_most(lost: int, accepted: int) -> float:
    """The upper end of the one-sided interval of Clopper and Pearson, by bisection."""
    from math import comb

    if accepted == 0 or lost >= accepted:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        seen = sum(
            comb(accepted, k) * rate**k * (1 - rate) ** (accepted - k) for k in range(lost + 1)
        )
        low, high = (rate, high) if seen > 1 - _CONFIDENCE else (low, rate)
    return high


def _reference_id(number: int) -> bytes:
    return number.to_bytes(16, "big")
