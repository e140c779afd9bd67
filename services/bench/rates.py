"""Error rates of a 1:1 comparison, with intervals, by the protocol of the FVC competitions.

Mated pairs are all pairs of samples of one source (a finger, an eye), non-mated all pairs of
different sources. FMR, FNMR and EER as in ISO/IEC 19795-1:2021, clause 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FMR_POINTS: Final = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True, slots=True)
class Rates:
    """Proportions, not per cents.

    Attributes:
        eer: where FMR and FNMR cross.
        fnmr_at: the least FNMR at an FMR of at most 1 %, 0.1 % and 0.01 %.
    """

    eer: float
    fnmr_at: tuple[float, float, float]

    @property
    def all(self) -> tuple[float, ...]:
        """EER, then FNMR at the three points."""
        return (self.eer, *self.fnmr_at)


def rates(mated: NDArray[np.floating], non_mated: NDArray[np.floating]) -> Rates:
    """Return the rates of similarities, larger meaning more alike.

    Args:
        mated: shape (m,), m >= 1.
        non_mated: shape (n,), n >= 1.
    """
    return _weighted(mated, np.ones(len(mated)), non_mated, np.ones(len(non_mated)))


def _weighted(
    mated: NDArray[np.floating],
    mated_weight: NDArray[np.float64],
    non_mated: NDArray[np.floating],
    non_mated_weight: NDArray[np.float64],
) -> Rates:
    ends = np.unique(np.concatenate([mated, non_mated]))
    thresholds = np.append(ends, np.inf)
    fnmr = _below(mated, mated_weight, thresholds)
    fmr = 1 - _below(non_mated, non_mated_weight, thresholds)
    crossing = int(np.argmin(np.abs(fmr - fnmr)))
    # A sum of weights may leave a rounding error where there is nothing.
    at = [float(fnmr[fmr <= point + 1e-12].min()) for point in FMR_POINTS]
    return Rates(float(fmr[crossing] + fnmr[crossing]) / 2, (at[0], at[1], at[2]))


def _below(
    values: NDArray[np.floating], weights: NDArray[np.float64], thresholds: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The share of the weight that lies below each threshold."""
    order = np.argsort(values, kind="stable")
    summed = np.concatenate([[0.0], np.cumsum(weights[order])])
    share = summed[np.searchsorted(values[order], thresholds, "left")] / summed[-1]
    return np.asarray(share, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of samples.

    Attributes:
        first, second: shape (p,), numbers of sources.
        mated: shape (p,).
        similarity: shape (p,).
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    mated: NDArray[np.bool_]
    similarity: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Return some of the pairs."""
        return Pairs(
            self.first[chosen], self.second[chosen], self.mated[chosen], self.similarity[chosen]
        )

    def rates(self) -> Rates:
        """Return the rates over all of them."""
        return rates(self.similarity[self.mated], self.similarity[~self.mated])

    def intervals(
        self, *, samples: int = 200, seed: int = 1, coverage: float = 0.95
    ) -> list[tuple[float, float]]:
        """Return the interval of each rate by a bootstrap over sources, not over pairs.

        Pairs of one finger stand or fall together, so it is fingers that are drawn; a pair of two
        sources counts as often as the product of their draws.
        """
        sources = np.unique(np.concatenate([self.first, self.second]))
        place = np.zeros(int(sources.max()) + 1, dtype=np.intp)
        place[sources] = np.arange(len(sources))
        random = np.random.default_rng(seed)
        drawn: list[tuple[float, ...]] = []
        while len(drawn) < samples:
            times = np.bincount(
                random.integers(0, len(sources), len(sources)), minlength=len(sources)
            ).astype(np.float64)
            one, two = times[place[self.first]], times[place[self.second]]
            # Two draws of one source make its mated pairs, which the product would square.
            weight = np.where(self.mated, one, one * two)
            counted = weight > 0
            mated, other = counted & self.mated, counted & ~self.mated
            if mated.any() and other.any():
                drawn.append(
                    _weighted(
                        self.similarity[mated],
                        weight[mated],
                        self.similarity[other],
                        weight[other],
                    ).all
                )
        tail = (1 - coverage) / 2
        low, high = np.quantile(np.array(drawn), [tail, 1 - tail], axis=0)
        return list(zip(low.tolist(), high.tolist(), strict=True))


def pairs_of(
    similarity: NDArray[np.floating],
    source: NDArray[np.intp],
    *,
    same_source: Sequence[tuple[int, int]] = (),
) -> Pairs:
    """Return all pairs of samples.

    Args:
        similarity: shape (n, n); the upper triangle is read.
        source: shape (n,), the source of each sample.
        same_source: sources that are known to be one under two names; their pairs are left out.
    """
    first, second = np.triu_indices(len(source), 1)
    one, two = source[first], source[second]
    kept = np.ones(len(first), dtype=bool)
    for a, b in same_source:
        kept &= ~((np.minimum(one, two) == min(a, b)) & (np.maximum(one, two) == max(a, b)))
    first, second, one, two = first[kept], second[kept], one[kept], two[kept]
    return Pairs(one, two, one == two, similarity[first, second].astype(np.float64))


def rank_one(
    similarity: NDArray[np.floating], source: NDArray[np.intp], sample: NDArray[np.intp]
) -> float:
    """Return how often a search in a gallery of one sample of each source finds its source first.

    Each sample but the k-th of a source is searched in the gallery of the k-th samples, for every
    k; the mean over k. A tie with another source is a miss.

    Args:
        similarity: shape (n, n), symmetric.
        source: shape (n,).
        sample: shape (n,), the number of the sample of its source.
    """
    found = []
    for k in np.unique(sample):
        gallery, probes = np.flatnonzero(sample == k), np.flatnonzero(sample != k)
        known = np.isin(source[probes], source[gallery])
        probes = probes[known]
        if len(probes) == 0:
            continue
        scores = similarity[np.ix_(probes, gallery)]
        true = source[probes][:, None] == source[gallery][None, :]
        best = np.where(true, scores, -np.inf).max(axis=1)
        found.append((best > np.where(true, -np.inf, scores).max(axis=1)).mean())
    return float(np.mean(found)) if found else float("nan")
