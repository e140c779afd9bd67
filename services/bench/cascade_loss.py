"""What the cascade loses of what comparing with everybody finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click
from rich.console import Console
from rich.progress import track

from matcher_ext.people import People
from matcher_ext.person_score import score_at_fpir
from matcher_ext.synthetic import USUAL_BAD_CAPTURES, Population
from matcher_ext.templates import FaceTemplate, FingerTemplate, IrisTemplate, Template

BATCH: Final = 64
# So few probes at a time have the fingers of everybody scanned.
FEW: Final = 4
_FPIR: Final = 1e-3
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
    click.echo(f"{'searched by':<40}{'accepted':>10}{'lost':>7}{'at most':>10}")
    for name, kinds in (
        ("fingers, irises, face", (FingerTemplate, IrisTemplate, FaceTemplate)),
        ("fingers, irises", (FingerTemplate, IrisTemplate)),
        ("fingers", (FingerTemplate,)),
        ("irises", (IrisTemplate,)),
    ):
        given = [
            (number, probe)
            for number, session in taken
            if (probe := [one for one in session if isinstance(one[1], kinds)])
        ]
        for size in (FEW, BATCH):
            # Scanning everybody's fingers takes its time; a part of the probes must do.
            part = given if size == BATCH else given[: len(given) // 4]
            accepted, lost = _count(gallery, part, least, size)
            bound = _at_most(lost, accepted)
            click.echo(
                f"{f'{name}, {size} at a time':<40}{accepted:>10}{lost:>7}{100 * bound:>8.2f} %"
            )


def _count(
    gallery: People, given: Sequence[tuple[int, Person]], least: float, size: int
) -> tuple[int, int]:
    accepted = lost = 0
    for first in range(0, len(given), size):
        batch = given[first : first + size]
        answers = gallery.identify([probe for _, probe in batch], min_score=least)
        for (number, probe), answer in zip(batch, answers, strict=True):
            mate = _reference_id(number)
            if mate in gallery and gallery.verify(mate, probe).score >= least:
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
