"""Other people's exact searches on the same machine, in the same run.

Each is given what it is best at: its own format of vectors, one thread, packed ahead of time. None
of them knows masks, rotations or people. They come with the extra `bench`.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NAMES: Final = ("faiss", "usearch", "numkong")
_PASSES = 3
_BEST = 10


@dataclass(frozen=True, slots=True)
class Peer:
    """A measured peer; rate is comparisons per second of one core's time."""

    name: str
    probes: int
    rate: float


def missing() -> list[str]:
    """Return the peers that are not installed."""
    return [name for name in NAMES if importlib.util.find_spec(name) is None]


def faces(vectors: NDArray[np.float32], probes: NDArray[np.float32]) -> Iterator[Peer]:
    """Measure searches for the ten nearest by inner product.

    Args:
        vectors: shape (n, d), of unit length.
        probes: shape (q, d), of unit length; measured with one and with all of them.
    """
    found = set(NAMES) - set(missing())
    codes, probe_codes = _codes(vectors), _codes(probes)
    if "faiss" in found:
        yield from _faiss_faces(vectors, probes)
    if "usearch" in found:
        for count in (1, len(probes)):
            yield _peer(
                "usearch exact int8",
                len(vectors),
                count,
                _usearch(codes, probe_codes[:count], "ip"),
            )
    if "numkong" in found:
        for count in (1, len(probes)):
            yield _peer(
                "numkong dots_packed int8",
                len(vectors),
                count,
                _numkong(codes, probe_codes[:count]),
            )


def irises(codes: NDArray[np.uint8], probes: NDArray[np.uint8]) -> Iterator[Peer]:
    """Measure searches by Hamming distance, without masks and of one rotation only.

    Args:
        codes: shape (n, bytes).
        probes: shape (q, bytes).
    """
    found = set(NAMES) - set(missing())
    if "faiss" in found:
        import faiss

        faiss.omp_set_num_threads(1)
        index = faiss.IndexBinaryFlat(8 * codes.shape[1])
        index.add(codes)
        yield _peer(
            "faiss IndexBinaryFlat",
            len(codes),
            len(probes),
            lambda: index.search(probes, _BEST),
        )
    if "usearch" in found:
        yield _peer("usearch exact b1", len(codes), len(probes), _usearch(codes, probes, "hamming"))


def _faiss_faces(vectors: NDArray[np.float32], probes: NDArray[np.float32]) -> Iterator[Peer]:
    import faiss

    faiss.omp_set_num_threads(1)
    width = vectors.shape[1]
    # Takes values as they are, so they are scaled to the range of a byte.
    scaled, scaled_probes = _codes(vectors).astype(np.float32), _codes(probes).astype(np.float32)
    quantised = faiss.IndexScalarQuantizer(
        width, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
    )
    flat = faiss.IndexFlatIP(width)
    for name, index, rows, given in (
        ("faiss IndexFlatIP fp32", flat, vectors, probes),
        ("faiss SQ int8", quantised, scaled, scaled_probes),
    ):
        index.train(rows[:10_000])
        index.add(rows)
        for count in (1, len(probes)):
            yield _peer(name, len(rows), count, partial(index.search, given[:count], _BEST))
        index.reset()


def _usearch(rows: NDArray[Any], probes: NDArray[Any], metric: str) -> Callable[[], object]:
    from usearch.compiled import MetricKind
    from usearch.index import search

    kind = MetricKind.Hamming if metric == "hamming" else MetricKind.IP
    return lambda: search(rows, probes, _BEST, kind, exact=True, threads=1)


def _numkong(rows: NDArray[np.int8], probes: NDArray[np.int8]) -> Callable[[], object]:
    import numkong

    # Packed ahead and written where there is room: its fastest. It chooses no best.
    packed = numkong.dots_pack(rows)
    room = numkong.dots_packed(probes, packed)
    return lambda: numkong.dots_packed(probes, packed, out=room)


def _codes(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    made: NDArray[np.int8] = np.clip(np.round(vectors * 508), -127, 127).astype(np.int8)
    return made


def _peer(name: str, rows: int, probes: int, run: Callable[[], object]) -> Peer:
    run()
    best = min(_timed(run) for _ in range(_PASSES))
    return Peer(name, probes, rows * probes / best)


def _timed(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began
