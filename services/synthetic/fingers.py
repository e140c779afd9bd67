"""Master fingers and what a sensor sees of them, at the level of minutiae."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.biometrics import (
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    write_fmr,
)
from services.synthetic.ridges import RidgeFlow, draw_flow
from services.synthetic.seeds import generator

Floats = NDArray[np.float64]

# Pixels of 500 dpi. A finger pad of 15 by 20 mm, and a sensor that holds it at most placements.
_PAD: Final = np.array((150.0, 200.0))
WIDTH: Final = 400
HEIGHT: Final = 500
_LEAST_DISTANCE: Final = 14.0
_SOWN: Final = 130
_FEWEST, _MOST = 35, 55
_LEFT_HAND: Final = range(6, 11)


@dataclass(frozen=True)
class MasterFinger:
    """All minutiae that a finger has.

    points: (n, 2), pixels from the centre of the pad, y upwards. directions: radians, along the
    ridge. bifurcation, clarity: of each; clarity in (0, 1] is how surely a sensor finds it.
    """

    position: int
    flow: RidgeFlow
    points: Floats = field(repr=False)
    directions: Floats = field(repr=False)
    bifurcation: NDArray[np.bool_] = field(repr=False)
    clarity: Floats = field(repr=False)


@dataclass(frozen=True)
class CaptureNoise:
    """How a capture differs from the master; lengths in pixels, angles in radians.

    missed and spurious are proportions of the finger's minutiae. stretch is the size of the
    elastic distortion, off_centre of how far the pad's contact lies off the middle.
    """

    rotation: float = 0.16
    shift: float = 16.0
    off_centre: float = 18.0
    stretch: float = 4.0
    missed: float = 0.13
    spurious: float = 0.11
    jitter: float = 2.0
    turn: float = 0.11
    kind_flipped: float = 0.10

    def scaled(self, by: float) -> CaptureNoise:
        """Return noise by times as strong; 0 is a perfect sensor."""
        return CaptureNoise(*(getattr(self, name) * by for name in self.__dataclass_fields__))


@lru_cache(maxsize=256)
def master_finger(population: int, person: int, position: int) -> MasterFinger:
    """Return a person's finger, position 1 to 10 of ISO/IEC 19794-2."""
    random = generator(population, person, "finger", position)
    flow = draw_flow(random, left_hand=position in _LEFT_HAND)
    points = _sow(random, int(np.clip(round(random.normal(45.0, 5.0)), _FEWEST, _MOST)))
    count = points.shape[0]
    # A ridge can end, or split, towards either side.
    side = np.pi * random.integers(0, 2, count)
    directions = flow.orientation(points) + side + random.normal(0.0, 0.07, count)
    return MasterFinger(
        position=position,
        flow=flow,
        points=points,
        directions=directions % (2 * np.pi),
        bifurcation=np.asarray(random.random(count) < 0.42),
        clarity=np.asarray(random.beta(6.0, 1.2, count)),
    )


def _sow(random: np.random.Generator, count: int) -> Floats:
    """Return about count points on the pad, none closer to another than a ridge and a half."""
    radius = np.sqrt(random.random(_SOWN))
    turn = random.random(_SOWN) * 2 * np.pi
    sown = _PAD * np.stack((radius * np.cos(turn), radius * np.sin(turn)), axis=1)
    across, along = sown[:, :1] - sown[:, 0], sown[:, 1:] - sown[:, 1]
    close = across * across + along * along < _LEAST_DISTANCE**2
    # Of two that are too close the one sown first stays.
    crowded = np.tril(close, k=-1).any(axis=1)
    return np.asarray(sown[~crowded][:count])


def capture_finger(
    finger: MasterFinger, random: np.random.Generator, noise: CaptureNoise, quality: int
) -> bytes:
    """Return what a sensor makes of the finger: an ISO/IEC 19794-2:2005 record."""
    points, directions = _distorted(finger, random, noise)
    count = points.shape[0]
    seen = random.random(count) >= np.clip(noise.missed * 2.0 * (1.4 - finger.clarity), 0.0, 0.9)
    centre = random.normal(0.0, noise.off_centre, 2)
    seen &= (((finger.points - centre) / (0.97 * _PAD)) ** 2).sum(axis=1) <= 1.0
    points = points + random.normal(0.0, noise.jitter, points.shape)
    directions = directions + random.normal(0.0, noise.turn, count)
    kinds = finger.bifurcation ^ (random.random(count) < noise.kind_flipped)
    clarity = np.clip(finger.clarity + random.normal(0.0, 0.08, count), 0.05, 1.0)
    extra = _spurious(finger, random, int(random.poisson(noise.spurious * count)), centre)
    rows = np.column_stack((points, directions, kinds, clarity))[seen]
    return _record(finger.position, _placed(np.vstack((rows, extra)), random, noise), quality)


def _distorted(
    finger: MasterFinger, random: np.random.Generator, noise: CaptureNoise
) -> tuple[Floats, Floats]:
    """Press and drag the skin: a smooth field that moves neighbours alike and turns them too."""
    waves = 3
    frequency = random.normal(0.0, 1.0, (waves, 2)) / 180.0
    phase = random.random(waves) * 2 * np.pi
    push = random.normal(0.0, noise.stretch / np.sqrt(waves / 2), (waves, 2))
    swell = random.normal(0.0, noise.stretch / 250.0, 2)
    angle = finger.points @ frequency.T + phase
    moved = finger.points * (1.0 + swell) + np.sin(angle) @ push
    # The field's derivative along each direction tells how that direction turns.
    ahead = np.stack((np.cos(finger.directions), np.sin(finger.directions)), axis=1)
    turned = ahead * (1.0 + swell) + (np.cos(angle) * (ahead @ frequency.T)) @ push
    return moved, np.arctan2(turned[:, 1], turned[:, 0])


def _spurious(
    finger: MasterFinger, random: np.random.Generator, count: int, centre: Floats
) -> Floats:
    """Return minutiae that are none: they follow the ridges all the same."""
    radius = np.sqrt(random.random(count))
    turn = random.random(count) * 2 * np.pi
    points = centre + 0.97 * _PAD * np.stack((radius * np.cos(turn), radius * np.sin(turn)), axis=1)
    directions = finger.flow.orientation(points) + np.pi * random.integers(0, 2, count)
    directions = directions + random.normal(0.0, 0.15, count)
    kinds = random.random(count) < 0.5
    return np.column_stack((points, directions, kinds, random.beta(2.0, 3.0, count)))


def _placed(rows: Floats, random: np.random.Generator, noise: CaptureNoise) -> Floats:
    """Turn and shift the finger on the sensor; columns as in capture_finger."""
    turn = float(np.clip(random.normal(0.0, noise.rotation), -0.5, 0.5))
    cosine, sine = np.cos(turn), np.sin(turn)
    placed = rows.copy()
    placed[:, :2] = rows[:, :2] @ np.array(((cosine, sine), (-sine, cosine)))
    placed[:, :2] += random.normal(0.0, noise.shift, 2)
    placed[:, 2] = rows[:, 2] + turn
    return placed


def _record(position: int, rows: Floats, quality: int) -> bytes:
    x = np.round(WIDTH / 2 + rows[:, 0]).astype(int)
    # The record counts y downwards, and angles anticlockwise as the image is seen.
    y = np.round(HEIGHT / 2 - rows[:, 1]).astype(int)
    angle = np.round(rows[:, 2] * (128.0 / np.pi)).astype(int) % 256
    inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
    minutiae = tuple(
        Minutia(int(x[i]), int(y[i]), int(angle[i]), 2 if rows[i, 3] else 1, _grade(rows[i, 4]))
        for i in np.flatnonzero(inside)
    )
    view = FingerView(position=position, quality=quality, minutiae=minutiae)
    return write_fmr(FingerMinutiaeRecord(WIDTH, HEIGHT, (view,)))


def _grade(clarity: float) -> int:
    return max(1, min(100, round(100 * clarity)))
