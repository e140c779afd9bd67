"""Searches of whole people: ten fingers, two irises, a face."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Final

import click
import psutil
from rich.console import Console
from rich.progress import track

from matcher_ext.people import Answer, People, Search
from matcher_ext.person_score import score_at_fpir
from matcher_ext.synthetic import Population
from matcher_ext.templates import FaceTemplate, Template
from services.local.problems import Problem

BATCH: Final = 64
PASSES: Final = 3
# People are put together from the fingers, eyes and faces of so many, since drawing a million would
# take an hour. The number is prime and the strides differ, so that two people share at most one
# template.
DISTINCT: Final = 4_001
_STRIDES: Final = (1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
_COLUMNS: Final = 13
_BYTES_OF_A_PERSON: Final = 13_000
_EXHAUSTIVE_PEOPLE: Final = 1_000
_FPIR: Final = 1e-3

Person = list[tuple[int, Template]]


class Crowd:
    """Two captures of each finger, eye and face, of which people are put together."""

    def __init__(self) -> None:
        self._population = Population(seed=5)
        self._enrolled = [self._column(column) for column in range(_COLUMNS)]

    def enrolled(self, number: int) -> Person:
        """The capture of a person who is enrolled."""
        return [held[self._source(number, c)] for c, held in enumerate(self._enrolled)]

    def probe(self, number: int) -> Person:
        """Another capture of the same person."""
        return [self._draw(c, self._source(number, c), 2) for c in range(_COLUMNS)]

    def _column(self, column: int) -> list[tuple[int, Template]]:
        console = Console(stderr=True)
        sources = track(
            range(DISTINCT), f"Drawing {column + 1}/{_COLUMNS}", console=console, transient=True
        )
        return [self._draw(column, source, 1) for source in sources]

    def _draw(self, column: int, source: int, capture: int) -> tuple[int, Template]:
        if column < 10:
            return column + 1, self._population.finger(source, column + 1, capture)
        if column < 12:
            return column - 9, self._population.iris(source, column - 9, capture)
        return 0, self._population.face(source, capture)

    @staticmethod
    def _source(number: int, column: int) -> int:
        turn, place = divmod(number, DISTINCT)
        return (place + turn * _STRIDES[column]) % DISTINCT


def run(count: int) -> None:
    """Enrol people in memory and search them, through the cascade and exhaustively.

    Raises:
        Problem: there is not enough memory.
    """
    needed, free = count * _BYTES_OF_A_PERSON, psutil.virtual_memory().available
    if needed > free:
        raise Problem(
            f"{count} people need {needed / 2**30:.1f} GiB; {free / 2**30:.1f} GiB are free.",
            "Give a smaller --people.",
        )
    crowd = Crowd()
    people = People()
    began = time.monotonic()
    for number in track(range(count), "Enrolling", console=Console(stderr=True), transient=True):
        people.add(_reference_id(number), crowd.enrolled(number))
    loaded = time.monotonic() - began
    people.seal()
    resident = people.stats().resident_bytes / count
    click.echo(
        f"\n{count} people, {os.cpu_count()} cores: loaded in {loaded:.1f} s,"
        f" {resident / 1000:.1f} KB resident each"
    )
    click.echo(f"{'searches':<44}{'people/s':>9}{'s each':>9}{'CPU s':>8}{'found':>8}")
    probes = [crowd.probe(number) for number in range(0, count, max(1, count // BATCH))][:BATCH]
    numbers = list(range(0, count, max(1, count // BATCH)))[:BATCH]
    for name, given in (
        ("all modalities", probes),
        ("no face", [_without(probe, FaceTemplate) for probe in probes]),
        ("fingers only", [probe[:10] for probe in probes]),
    ):
        for size in (1, BATCH):
            _measure(f"{name}, {size} at a time", people, given[:size], numbers[:size])
    among = [_reference_id(number) for number in range(min(count, _EXHAUSTIVE_PEOPLE))]
    began, cpu = time.monotonic(), time.process_time()
    people.identify(probes[:1], search=Search.EXHAUSTIVE, among=among)
    took, cpu = time.monotonic() - began, time.process_time() - cpu
    click.echo(
        f"exhaustive: {len(among) / took:,.0f} people compared per second,"
        f" {1e6 * cpu / len(among):.0f} us of CPU each"
    )


def _measure(name: str, people: People, probes: Sequence[Person], numbers: Sequence[int]) -> None:
    least = score_at_fpir(len(people), _FPIR)
    best, cpu = float("inf"), float("inf")
    answers: list[Answer] = []
    for _ in range(PASSES):
        began, began_cpu = time.monotonic(), time.process_time()
        answers = people.identify(probes, min_score=least)
        best = min(best, time.monotonic() - began)
        cpu = min(cpu, time.process_time() - began_cpu)
    found = sum(
        any(one.reference_id == _reference_id(number) for one in answer.candidates)
        for number, answer in zip(numbers, answers, strict=True)
    )
    count = len(probes)
    click.echo(
        f"{name:<44}{count / best:>9.2f}{best / count:>9.3f}{cpu / count:>8.3f}"
        f"{f'{found}/{count}':>8}"
    )


def _without(probe: Person, kind: type) -> Person:
    return [(position, template) for position, template in probe if not isinstance(template, kind)]


def _reference_id(number: int) -> bytes:
    return number.to_bytes(16, "big")
