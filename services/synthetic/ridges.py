"""Which way the ridges of a finger run.

Source: B. Sherlock and D. Monro, "A model for interpreting fingerprint topology", 1993: the
orientation is half the sum of the angles to the cores less those to the deltas. Arches, which
have neither, bend upwards in the middle; R. Cappelli, SFinGe, 2004.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Pattern = Literal["arch", "left_loop", "right_loop", "whorl"]
Points = NDArray[np.float64]

# Henry classes over all ten fingers; whorls are of two halves.
_FREQUENCY: Final = {"arch": 0.07, "loop_outwards": 0.60, "loop_inwards": 0.05, "whorl": 0.28}


@dataclass(frozen=True)
class RidgeFlow:
    """The orientation field of one finger; positions in pixels from its centre, y upwards."""

    pattern: Pattern
    cores: Points
    deltas: Points
    bend: float
    tilt: float

    def orientation(self, points: Points) -> NDArray[np.float64]:
        """Return the ridge orientation at points of shape (n, 2), in radians, modulo pi."""
        if self.pattern == "arch":
            lift = np.clip(1.0 - (points[:, 1] + 60.0) / 260.0, 0.0, 1.6)
            slope = -self.bend * lift * np.sin(np.pi * points[:, 0] / 300.0)
            return np.asarray((np.arctan(slope) + self.tilt) % np.pi)
        half = np.zeros(points.shape[0])
        for pole in self.cores:
            half += np.arctan2(points[:, 1] - pole[1], points[:, 0] - pole[0])
        for pole in self.deltas:
            half -= np.arctan2(points[:, 1] - pole[1], points[:, 0] - pole[0])
        # The angles to poles in the upright plane: far above the cores ridges lie level.
        return np.asarray((half / 2.0 + self._level() + self.tilt) % np.pi)

    def _level(self) -> float:
        # Every pole below a point high up is seen at pi/2.
        return -(len(self.cores) - len(self.deltas)) * np.pi / 4.0


def draw_flow(random: np.random.Generator, *, left_hand: bool) -> RidgeFlow:
    """Draw a finger's pattern and where its cores and deltas lie."""
    kinds = list(_FREQUENCY)
    kind = kinds[int(random.choice(len(kinds), p=list(_FREQUENCY.values())))]
    tilt = float(random.normal(0.0, 0.06))
    bend = float(random.uniform(0.7, 1.5))
    core = random.normal((0.0, 20.0), (14.0, 18.0))
    if kind == "arch":
        return RidgeFlow("arch", np.empty((0, 2)), np.empty((0, 2)), bend, tilt)
    if kind == "whorl":
        gap = random.normal((0.0, -45.0), (12.0, 14.0))
        deltas = random.normal(((-110.0, -120.0), (110.0, -120.0)), 18.0)
        return RidgeFlow("whorl", np.stack((core, core + gap)), deltas, bend, tilt)
    to_the_left = (kind == "loop_outwards") == left_hand
    side = 1.0 if to_the_left else -1.0
    delta = random.normal((side * 105.0, -115.0), 18.0)
    pattern: Pattern = "left_loop" if to_the_left else "right_loop"
    return RidgeFlow(pattern, core[None, :], delta[None, :], bend, tilt)
