"""`idmesh bench match`: how fast the matcher searches, beside its peers and the machine's limits.

A rate is comparisons per second of one core's time, with one thread, in a gallery larger than the
caches. Times on the wall are given only for the search of a person, which uses all cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from matcher_ext import KERNEL_SET, similarity
from matcher_ext.columns import FaceColumn, FingerColumn, IrisColumn
from matcher_ext.people import People
from matcher_ext.person_score import score_at_fpir, threshold_at_fmr
from matcher_ext.roofs import Roofs, measure_roofs
from matcher_ext.synthetic import Population
from matcher_ext.templates import FingerTemplate, Modality
from services.bench import peers

PASSES: Final = 3
BATCH: Final = 64
ROTATIONS: Final = 31
FACE_DIMENSION: Final = 512
IRIS_BITS: Final = 2048
# Of a stage-1 plane: minutiae to the finger, bits to a descriptor.
SCAN_MINUTIAE: Final = 16
DESCRIPTOR_BITS: Final = 256
# Templates are made once and used again to fill a gallery; faces are all different.
DISTINCT: Final = 4_000
_ACCEPTED_FMR: Final = 1e-6
_SEARCHES: Final = 50


@dataclass(frozen=True, slots=True)
class Roof:
    """A rate that would be reached if nothing but `limit` took time."""

    rate: float
    limit: str


def run(faces: int, irises: int, fingers: int) -> None:
    """Measure the kernels of each modality, one thread, and the peers that are installed."""
    roofs = measure_roofs()
    click.echo(f"{_processor()}, set {KERNEL_SET}")
    click.echo(
        f"one core: reads {roofs.read_bytes_per_s / 1e9:.1f} GB/s, counts"
        f" {roofs.bits_per_s / 1e12:.2f} Tbit/s, {roofs.products_per_s / 1e12:.2f} T products/s"
    )
    if peers.missing():
        click.echo(f"not installed: {', '.join(peers.missing())} (make peers)")
    click.echo(f"\n{'comparisons per second and core':<44}{'M/s':>9}{'of the roof':>13}  limit")
    _faces(faces, roofs)
    _irises(irises, roofs)
    _fingers(fingers, roofs)


def _faces(count: int, roofs: Roofs) -> None:
    random = np.random.default_rng(1)
    vectors = random.standard_normal((count, FACE_DIMENSION), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    probes = vectors[:: count // BATCH][:BATCH] * np.float32(0.7)
    probes = probes + _unit(random, BATCH, FACE_DIMENSION) * np.float32(0.7)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    column = FaceColumn(count, FACE_DIMENSION)
    for first in range(0, count, 65_536):
        column.extend(vectors[first : first + 65_536])
    column.settle()
    least = threshold_at_fmr(_ACCEPTED_FMR, Modality.FACE)
    # The first pass reads half a byte for each element.
    reading = roofs.read_bytes_per_s / (FACE_DIMENSION / 2)
    for number in (1, BATCH):
        given = probes[:number]
        search = partial(column.nearest, given, 10, least_cosine=least)
        rate = _rate(count * number, search)
        computing = roofs.products_per_s / FACE_DIMENSION
        roof = min(
            Roof(reading * number, "reading half the codes"),
            Roof(computing, "products"),
            key=lambda one: one.rate,
        )
        _print(f"face, {number} at a time, exact best 10", rate, roof)
    _print_peers(peers.faces(vectors, probes))


def _irises(count: int, roofs: Roofs) -> None:
    population = Population(seed=2)
    enrolled = [population.iris(person, 1, 1) for person in range(DISTINCT)]
    probes = [population.iris(person, 1, 2) for person in range(BATCH)]
    column = IrisColumn(count)
    for first in range(0, count, DISTINCT):
        column.extend(enrolled[: min(DISTINCT, count - first)])
    column.settle()
    least = threshold_at_fmr(_ACCEPTED_FMR, Modality.IRIS)
    # A product for every bit of code and rotation; masks are looked at where codes are alike.
    products = roofs.products_per_s / (IRIS_BITS * ROTATIONS)
    for number in (1, 8, BATCH):
        rate = _rate(count * number, partial(column.gate, probes[:number], least))
        _print(f"iris, {number} at a time, lossless", rate, Roof(products, "products"))
    for number in (1, BATCH):
        search = partial(column.gate, probes[:number], least, two_stage=True)
        rate = _rate(count * number, search)
        _print(f"iris, {number} at a time, two stages", rate, Roof(4 * products, "products"))
    random = np.random.default_rng(2)
    codes = random.integers(0, 256, (count, IRIS_BITS // 8), dtype=np.uint8)
    _print_peers(peers.irises(codes, codes[:ROTATIONS].copy()), " (no masks, 1 rotation)")


def _fingers(count: int, roofs: Roofs) -> None:
    population = Population(seed=3)
    enrolled = [population.finger(person, 2, 1) for person in range(DISTINCT)]
    probes = [population.finger(person, 2, 2) for person in range(8)]
    column = FingerColumn(count)
    for first in range(0, count, DISTINCT):
        column.extend(enrolled[: min(DISTINCT, count - first)])
    column.settle()
    minutiae = float(np.mean([probe.minutiae for probe in probes]))
    counting = roofs.bits_per_s / (minutiae * SCAN_MINUTIAE * DESCRIPTOR_BITS)
    rate = _rate(count * len(probes), lambda: [column.scan(probe) for probe in probes])
    _print("finger, stage 1 alone", rate, Roof(counting, "counting bits"))
    rows = np.arange(min(count, 500), dtype=np.uint32)
    rate = _rate(len(rows) * len(probes), lambda: [column.compare(probe, rows) for probe in probes])
    _print("finger, stage 2 alone", rate, None)
    _finger_searches(count, enrolled, population)
    pairs = list(zip(probes, enrolled[: len(probes)], strict=True)) * 25
    rate = _rate(len(pairs), lambda: [similarity(a, b) for a, b in pairs])
    click.echo(f"{'finger, 1:1 of a mated pair':<44}{1e6 / rate:>9.1f} us")


def _finger_searches(
    count: int, enrolled: Sequence[FingerTemplate], population: Population
) -> None:
    """Searches by one finger, both stages, and what they miss of what verifying accepts."""
    people = People(threads=1)
    for number in range(count):
        people.add(number.to_bytes(16, "big"), [(2, enrolled[number % len(enrolled)])])
    people.seal()
    probes = [population.finger(person, 2, 2) for person in range(_SEARCHES)]
    least = score_at_fpir(1, _ACCEPTED_FMR)
    began = time.process_time()
    answers = [people.identify([[(2, probe)]], min_score=least)[0] for probe in probes]
    took = time.process_time() - began
    _print("finger, search by one, both stages", count * len(probes) / took, None)
    accepted = lost = 0
    for number, (probe, answer) in enumerate(zip(probes, answers, strict=True)):
        mate = number.to_bytes(16, "big")
        if people.verify(mate, [(2, probe)]).score >= least:
            accepted += 1
            lost += all(one.reference_id != mate for one in answer.candidates)
    click.echo(f"  of {accepted} mated fingers that comparing with everybody accepts, {lost} lost")


def _rate(work: int, act: Callable[[], object]) -> float:
    """The best of several passes: what disturbs a pass only slows it down."""
    act()
    best = float("inf")
    for _ in range(PASSES):
        began = time.process_time()
        act()
        best = min(best, time.process_time() - began)
    return work / best


def _print(name: str, rate: float, roof: Roof | None) -> None:
    share = f"{100 * rate / roof.rate:>11.0f} %  {roof.limit}" if roof is not None else ""
    click.echo(f"{name:<44}{rate / 1e6:>9.2f}{share}")


def _print_peers(measured: Iterable[peers.Peer], note: str = "") -> None:
    for one in measured:
        click.echo(f"  {f'{one.name}, {one.probes} at a time{note}':<42}{one.rate / 1e6:>9.2f}")


def _unit(random: np.random.Generator, rows: int, width: int) -> NDArray[np.float32]:
    made = random.standard_normal((rows, width), dtype=np.float32)
    unit: NDArray[np.float32] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


def _processor() -> str:
    lines: Sequence[str] = ()
    if (information := Path("/proc/cpuinfo")).exists():
        lines = information.read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
