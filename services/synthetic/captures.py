"""A session in front of the sensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from services.synthetic.faces import capture_face
from services.synthetic.fingers import CaptureNoise, capture_finger, master_finger
from services.synthetic.irises import capture_iris
from services.synthetic.people import Person
from services.synthetic.seeds import generator

ALL_FINGERS = tuple(range(1, 11))
BOTH_EYES = (1, 2)


@dataclass(frozen=True)
class Template:
    """What a sensor gave.

    position: finger 1 to 10, eye 1 right or 2 left, 0 for a face. data: an ISO/IEC 19794-2
    record or a block of services.common.biometrics. quality: 0 to 100.
    """

    modality: Literal["finger", "iris", "face"]
    position: int
    data: bytes = field(repr=False)
    quality: int


def capture(
    person: Person,
    seed: int,
    *,
    fingers: Iterable[int] = ALL_FINGERS,
    irises: Iterable[int] = BOTH_EYES,
    face: bool = True,
    noise: float = 1.0,
) -> list[Template]:
    """Return the templates of one session; the same seed, the same templates.

    noise: 1 is a usual operator with a usual sensor, 0 a perfect one, 2 a bad day.
    """
    population, number = person.population, person.number
    how = CaptureNoise().scaled(noise)
    templates = []
    for position in fingers:
        random = generator(population, number, "capture", seed, "finger", position)
        grade = _grade(random, noise)
        finger = master_finger(population, number, position)
        record = capture_finger(finger, random, how, grade)
        templates.append(Template("finger", position, record, grade))
    for eye in irises:
        random = generator(population, number, "capture", seed, "iris", eye)
        grade = _grade(random, noise)
        code = capture_iris(population, number, eye, random, noise=noise, quality=grade)
        templates.append(Template("iris", eye, code, grade))
    if face:
        random = generator(population, number, "capture", seed, "face")
        grade = _grade(random, noise)
        embedding = capture_face(population, number, random, noise=noise, quality=grade)
        templates.append(Template("face", 0, embedding, grade))
    return templates


def _grade(random: np.random.Generator, noise: float) -> int:
    return int(np.clip(round(float(random.normal(92.0 - 12.0 * noise, 4.0))), 1, 100))
