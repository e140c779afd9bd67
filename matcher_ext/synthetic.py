"""People who do not exist: fingers, irises and faces with the statistics of real ones.

    population = Population(seed=7, bad=USUAL_BAD_CAPTURES)
    enrolled = population.capture(person=3, capture=1)
    probe = population.capture(person=3, capture=2)

The same numbers give the same templates for ever, on every machine and in any order. Fingers and
irises follow FVC2002 and MMU v1, which are hard; faces follow published rates, not data.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher_ext import _native
from matcher_ext.error import MatcherError, check_number, check_proportion, check_whole
from matcher_ext.templates import (
    FaceTemplate,
    FingerTemplate,
    IrisTemplate,
    Template,
    of_native,
)

IMAGE_WIDTH: Final = 400
IMAGE_HEIGHT: Final = 500
_MOST_NUMBER: Final = 2**64 - 1


@dataclass(frozen=True)
class BadCaptures:
    """How often a capture goes wrong; proportions.

    Of the captures: spoilt_face (not recognisably the person's), missing_face, swapped_hands. Of
    the eyes captured: masked_iris (a quarter is left to compare). Of the fingers: missing_finger
    (bandaged), lost_finger (for good). Of the people: children, who give no irises.
    """

    spoilt_face: float = 0.0
    missing_face: float = 0.0
    masked_iris: float = 0.0
    missing_finger: float = 0.0
    lost_finger: float = 0.0
    swapped_hands: float = 0.0
    children: float = 0.0


# What a large enrolment has to expect.
USUAL_BAD_CAPTURES: Final = BadCaptures(
    spoilt_face=0.01,
    missing_face=0.02,
    masked_iris=0.02,
    missing_finger=0.01,
    lost_finger=0.003,
    swapped_hands=0.003,
    children=0.1,
)


@dataclass(frozen=True)
class FingerCapture:
    """What a sensor makes of a finger, as an ISO/IEC 19794-2 record has it.

    minutiae: uint16, shape (n, 5): x, y (pixels of 500 dpi, y downwards), direction (256 to the
    turn, counter-clockwise as seen), quality (1 to 100), kind (1 ridge ending, 2 bifurcation).
    quality: of the sample, 1 to 100.
    """

    position: int
    quality: int
    minutiae: NDArray[np.uint16]


@dataclass(frozen=True)
class IrisCapture:
    """Code and mask of an eye, laid out as `IrisTemplate` takes them."""

    code: bytes
    mask: bytes


class Population:
    """All the people of a seed. A person and a capture are numbers in [0, 2**64)."""

    def __init__(
        self,
        seed: int = 1,
        *,
        noise: float = 1.0,
        face_dimension: int = 512,
        bad: BadCaptures | None = None,
    ) -> None:
        """Choose a population.

        Args:
            seed: in [0, 2**64).
            noise: 0 a perfect sensor, 1 as in the data that it follows, 2 a bad day; in [0, 4].
            face_dimension: in [1, 4096].
            bad: what goes wrong, and how often. None: nothing does.

        Raises:
            MatcherError: VALUE_OUT_OF_RANGE, VALUE_NOT_FINITE, DIMENSION_MISMATCH.
        """
        _check_number(seed, "seed")
        if not 0.0 <= check_number(noise, "noise") <= 4.0:
            raise MatcherError("VALUE_OUT_OF_RANGE", "noise", "The noise is not in [0, 4].")
        check_whole(face_dimension, "face_dimension", 1, 4096, "DIMENSION_MISMATCH")
        shares = dataclasses.astuple(bad or BadCaptures())
        for share in shares:
            check_proportion(share, "bad")
        self._native = _native.Population(seed, noise, face_dimension, shares)

    def finger_master(self, person: int, position: int) -> NDArray[np.float32]:
        """Return all minutiae a finger has: shape (n, 5), x, y, turns, clarity, kind.

        x and y are from the middle of the pad, y upwards; clarity in (0, 1] is how surely a
        sensor finds it. position: 1 to 10, or 0.
        """
        return self._native.finger_master(*_checked(person, position, 10))

    def finger_capture(self, person: int, position: int, capture: int) -> FingerCapture:
        """Return what a sensor makes of a finger, for a record."""
        quality, minutiae = self._native.finger_capture(
            *_checked(person, position, 10), _check_number(capture, "capture")
        )
        return FingerCapture(position, quality, minutiae)

    def finger(self, person: int, position: int, capture: int) -> FingerTemplate:
        """Return the template of a finger's capture."""
        return FingerTemplate(
            self._native.finger(*_checked(person, position, 10), _check_number(capture, "capture"))
        )

    def iris_capture(self, person: int, eye: int, capture: int) -> IrisCapture:
        """Return code and mask of an eye: 1 right, 2 left."""
        code, mask = self._native.iris(*_checked(person, eye, 2), _check_number(capture, "capture"))
        return IrisCapture(code, mask)

    def iris(self, person: int, eye: int, capture: int) -> IrisTemplate:
        """Return the template of an eye's capture."""
        seen = self.iris_capture(person, eye, capture)
        return IrisTemplate(seen.code, seen.mask)

    def face_capture(self, person: int, capture: int) -> NDArray[np.float32]:
        """Return a face embedding of unit length."""
        return self._native.face(_check_number(person, "person"), _check_number(capture, "capture"))

    def face(self, person: int, capture: int) -> FaceTemplate:
        """Return the template of a face's capture."""
        return FaceTemplate(self.face_capture(person, capture))

    def capture(self, person: int, capture: int) -> list[tuple[int, Template]]:
        """Return a whole session with positions: what is missing is left out.

        Fingers 1 to 10 come first, then irises (1 right, 2 left), then the face at 0.
        """
        taken = self._native.capture(
            _check_number(person, "person"), _check_number(capture, "capture")
        )
        return [(position, of_native(native)) for position, native in taken]


def _checked(person: int, position: int, most: int) -> tuple[int, int]:
    where = check_whole(position, "position", 0, most, "POSITION_OUT_OF_RANGE")
    return _check_number(person, "person"), where


def _check_number(number: int, field: str) -> int:
    return check_whole(number, field, 0, _MOST_NUMBER)
