"""What a CBEFF document brings that can be compared, and what would have to be extracted first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from services.common.biometrics.bir import Bir
from services.common.biometrics.errors import BiometricsError
from services.common.biometrics.positions import finger_position, iris_position

# What the data blocks of templates begin with: ISO/IEC 19794-2 and ANSI 378, and our own blocks.
_MAGIC: Final = {"Finger": b"FMR\x00", "Iris": b"IDMI", "Face": b"IDMF"}


@dataclass(frozen=True, slots=True)
class CapturedTemplate:
    """A template: type "Finger", "Iris" or "Face", and the position of that type, 0 unknown."""

    type: str
    position: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Captures:
    """The segments of a document, sorted.

    Attributes:
        templates: in the order of the document; their data is not parsed.
        pictures: type and position of what is neither a template nor an exception, None where
            the subtype names no single position (four fingers on one picture).
    """

    templates: tuple[CapturedTemplate, ...]
    pictures: tuple[tuple[str, int | None], ...]

    @property
    def unusable(self) -> tuple[tuple[str, int | None], ...]:
        """The pictures beside which there is no template of the same place."""
        places = {(each.type, each.position) for each in self.templates}
        return tuple(place for place in self.pictures if place not in places)


def sort_captures(segments: Iterable[Bir]) -> Captures:
    """Sort a document's segments; exceptions, empty ones and other body parts are passed over.

    Raises:
        BiometricsError: SUBTYPE_UNKNOWN, of a template.
    """
    templates: list[CapturedTemplate] = []
    pictures: list[tuple[str, int | None]] = []
    for bir in segments:
        magic = _MAGIC.get(bir.type)
        if magic is None or not bir.bdb or bir.is_exception:
            continue
        if bir.bdb.startswith(magic):
            templates.append(CapturedTemplate(bir.type, _position(bir), bir.bdb))
        else:
            pictures.append((bir.type, _position_or_none(bir)))
    return Captures(tuple(templates), tuple(pictures))


def _position(bir: Bir) -> int:
    if bir.type == "Finger":
        return finger_position(bir.subtype)
    return iris_position(bir.subtype) if bir.type == "Iris" else 0


def _position_or_none(bir: Bir) -> int | None:
    try:
        return _position(bir)
    except BiometricsError:
        return None
