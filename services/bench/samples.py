"""Folders of samples as the public collections of biometrics are laid out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.local.problems import Problem

_LAYOUT = "The layout is COLLECTION/EXTRACTOR/DATABASE/FINGER_IMPRESSION.iso, and EXTRACTOR given."
# One finger under two names, by the evidence of every matcher and of the eye.
_TWINS = (("fvc2002_DB3_B_108", "fvc2004_DB3_B_102"),)
_FILE = re.compile(r"(?P<finger>[A-Za-z0-9-]+)_(?P<impression>[0-9]+)")


@dataclass(frozen=True, slots=True)
class Samples:
    """Whose each sample is.

    Attributes:
        names: of the samples: collection, database, finger, impression, as in
            `fvc2002_DB1_B_101_1`.
        database: shape (n,), number of the database.
        source: shape (n,), number of the finger or eye.
        sample: shape (n,), number of the impression.
        databases, sources: names by number.
    """

    names: tuple[str, ...]
    database: NDArray[np.intp]
    source: NDArray[np.intp]
    sample: NDArray[np.intp]
    databases: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def twins(self) -> list[tuple[int, int]]:
        """The sources known to be one under two names, as numbers."""
        return [
            (self.sources.index(a), self.sources.index(b))
            for a, b in _TWINS
            if a in self.sources and b in self.sources
        ]


def finger_files(folder: Path) -> dict[str, Path]:
    """Return the template files of a folder laid out like FVC2002, by sample name, sorted.

    Raises:
        Problem: there is none, or one is named otherwise.
    """
    files = sorted(folder.glob("*/*.iso"))
    if not files:
        raise Problem(f"{folder} has no DATABASE/FINGER_IMPRESSION.iso.", _LAYOUT)
    collection = folder.resolve().parent.name
    found: dict[str, Path] = {}
    for file in files:
        parts = _FILE.fullmatch(file.stem)
        if parts is None:
            raise Problem(f"{file} is not named FINGER_IMPRESSION.iso.", _LAYOUT)
        found[f"{collection}_{file.parent.name}_{file.stem}"] = file
    return dict(sorted(found.items()))


def samples_of(names: list[str]) -> Samples:
    """Return whose the samples are, by their names."""
    sources = [name.rpartition("_")[0] for name in names]
    databases = [source.rpartition("_")[0] for source in sources]
    source_names, source = np.unique(sources, return_inverse=True)
    database_names, database = np.unique(databases, return_inverse=True)
    return Samples(
        tuple(names),
        database.astype(np.intp),
        source.astype(np.intp),
        np.array([int(name.rpartition("_")[2]) for name in names], dtype=np.intp),
        tuple(map(str, database_names)),
        tuple(map(str, source_names)),
    )
