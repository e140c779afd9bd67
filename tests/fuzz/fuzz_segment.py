"""Whatever the bytes: a saved segment is loaded and can be searched, or is refused by name."""

import itertools
import tempfile
from pathlib import Path

import numpy as np

from matcher_ext import MatcherError
from matcher_ext.people import People
from matcher_ext.segment_file import read_segment, write_segment
from matcher_ext.templates import FaceTemplate, FingerTemplate, Template

DIMENSION = 8
_REASONS = {"SEGMENT_MALFORMED", "OUT_OF_MEMORY", "VALUE_OUT_OF_RANGE"}
_FACE = FaceTemplate(np.arange(1, DIMENSION + 1, dtype=np.float32))
_FINGER = FingerTemplate.from_minutiae(
    np.array([(20 * k % 300, 37 * k % 400, 0.3 * k % 6) for k in range(40)])
)


def seeds() -> list[bytes]:
    """Return files of one person each, to start from."""
    made = []
    persons: list[list[tuple[int, Template]]] = [[(0, _FACE)], [(1, _FINGER)]]
    with tempfile.TemporaryDirectory() as folder:
        for person in persons:
            people = People(face_dimension=DIMENSION, threads=1)
            people.add(bytes(16), person)
            path = Path(folder, "segment")
            write_segment(path, people.seal()[0])
            made.append(path.read_bytes())
    return made


def fuzz_one(data: bytes) -> None:
    """Load data as a file; search what was loaded."""
    people = People(face_dimension=DIMENSION, threads=1)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        refused = _refused(people, Path(file.name))
    if refused is not None:
        assert refused in _REASONS
        assert len(people) == 0
        return
    probe: list[tuple[int, Template]] = [(0, _FACE), (1, _FINGER)]
    for answer in itertools.chain(people.identify([probe]), people.identify([probe[:1]])):
        assert len(answer.candidates) <= len(people)


def _refused(people: People, path: Path) -> str | None:
    try:
        read_segment(people, path)
    except MatcherError as error:
        return error.reason
    return None
