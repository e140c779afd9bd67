"""Iris codes with the statistics of real ones.

A code is the signs of the real and imaginary part of a band-limited complex field over the iris
(rows by angles), as a Gabor filter gives it; neighbouring bits are alike, so that of 2,048 bits
about 249 are free. Source: J. Daugman, "The importance of being random", 2003.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.common.biometrics import IrisCode, write_iris_code
from services.synthetic.seeds import generator

Field = NDArray[np.complex128]

ENCODER: Final = "SYNTH1"
BANDS, ROWS, ANGLES = 2, 8, 128
# Of the pass band over angles: middle and width, in waves around the iris; measured to
# give 249 degrees of freedom over the bits that both masks leave.
_MIDDLE, _WIDTH = 14.0, 8.7
_ROW_BLUR = 0.95
# Correlation of a capture's field with the master's; two captures differ in acos(its square) / pi
# of their bits.
_LIKENESS = 0.955
_MOST_TURN = 5


def _field(random: np.random.Generator) -> Field:
    """Draw a field: white noise through the pass band and across neighbouring rows."""
    white = random.normal(size=(ROWS, ANGLES)) + 1j * random.normal(size=(ROWS, ANGLES))
    return _passed(white)


def _passed(white: Field) -> Field:
    gain, blur = _filters()
    along = np.fft.ifft(np.fft.fft(white, axis=1) * gain, axis=1)
    across = blur @ along
    return np.asarray(across / np.sqrt((np.abs(across) ** 2).mean()))


@cache
def _filters() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    waves = np.fft.fftfreq(ANGLES, 1.0 / ANGLES)
    gain = np.exp(-(((waves - _MIDDLE) / _WIDTH) ** 2) / 2)
    rows = np.arange(ROWS)
    blur = np.exp(-(((rows[:, None] - rows[None, :]) / _ROW_BLUR) ** 2) / 2)
    return gain, blur / np.sqrt((blur**2).sum(axis=1, keepdims=True))


def capture_iris(
    population: int,
    person: int,
    eye: int,
    random: np.random.Generator,
    *,
    noise: float = 1.0,
    quality: int = 80,
) -> bytes:
    """Return what a camera makes of a person's eye (1 right, 2 left): an iris code block.

    noise scales how much the capture differs from the eye; 0 is a perfect camera.
    """
    master = _field(generator(population, person, "iris", eye))
    likeness = np.cos(np.arccos(_LIKENESS) * noise)
    seen = likeness * master + np.sqrt(1.0 - likeness**2) * _field(random)
    turn = round(float(np.clip(random.normal(0.0, 2.0 * noise), -_MOST_TURN, _MOST_TURN)))
    seen = np.roll(seen, turn, axis=1)
    bits = np.stack((seen.real > 0, seen.imag > 0))
    mask = np.broadcast_to(np.roll(_lids(random, noise), turn, axis=1), bits.shape)
    return write_iris_code(
        IrisCode(
            code=np.packbits(bits.ravel(), bitorder="little").tobytes(),
            mask=np.packbits(mask.ravel(), bitorder="little").tobytes(),
            encoder=ENCODER,
            eye=eye,
            bands=BANDS,
            rows=ROWS,
            angles=ANGLES,
            quality=quality,
        )
    )


def _lids(random: np.random.Generator, noise: float) -> NDArray[np.bool_]:
    """Return what is not covered: lids hide the outer rows above and below, lashes a few spots."""
    mask = np.ones((ROWS, ANGLES), dtype=np.bool_)
    angle = np.arange(ANGLES)
    for middle, cover in ((ANGLES // 4, random.uniform(0.5, 1.5)), (3 * ANGLES // 4, 0.6)):
        for row in range(ROWS):
            reach = noise * cover * 16.0 * (row / (ROWS - 1)) ** 1.5
            mask[row, np.abs(angle - middle) < reach] = False
    for _ in range(int(random.poisson(3.0 * noise))):
        row, start = int(random.integers(ROWS)), int(random.integers(ANGLES))
        mask[row, (start + np.arange(6)) % ANGLES] = False
    return mask
