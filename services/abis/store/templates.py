"""Templates as the matcher takes them, and which of them can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

import matcher_ext
from services.abis.domain.reference import Modality, Template
from services.abis.ports import TemplateRefusedError
from services.common.biometrics import (
    BiometricsError,
    ElementType,
    read_face_embedding,
    read_iris_code,
)

DEFAULT_DIMENSION: Final = 512
_MAX_POSITION: Final = {Modality.FINGER: 10, Modality.IRIS: 2, Modality.FACE: 0}
# Of an unknown position several may be given.
_MOST: Final = {Modality.FINGER: 10, Modality.IRIS: 2, Modality.FACE: 1}
# The record is well formed; the sample gave nothing to compare.
_UNUSABLE: Final = frozenset({"TEMPLATE_EMPTY", "MASK_EMPTY"})


@dataclass(frozen=True, slots=True)
class Face:
    """What made an embedding."""

    encoder: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Encoders:
    """What made the faces and the irises; None where there are none."""

    face: Face | None = None
    iris: str | None = None

    def joined(self, other: Encoders) -> Encoders | None:
        """Return both together; None where they differ."""
        if None not in (self.face, other.face) and self.face != other.face:
            return None
        if None not in (self.iris, other.iris) and self.iris != other.iris:
            return None
        return Encoders(self.face or other.face, other.iris if self.iris is None else self.iris)


@dataclass(frozen=True, slots=True)
class ParsedTemplates:
    """One person's templates, (position, template)."""

    encoders: Encoders
    positioned: tuple[tuple[int, matcher_ext.Template], ...]

    def comparable(self, encoders: Encoders) -> list[tuple[int, matcher_ext.Template]]:
        """Return the templates that can be compared with those of a gallery."""
        others: tuple[type, ...] = ()
        if self.encoders.face != encoders.face:
            others += (matcher_ext.FaceTemplate,)
        if self.encoders.iris != encoders.iris:
            others += (matcher_ext.IrisTemplate,)
        return [each for each in self.positioned if not isinstance(each[1], others)]


def parse(templates: Sequence[Template]) -> ParsedTemplates:
    """Return templates as they are compared.

    Raises:
        TemplateRefusedError: one does not parse, a known position comes twice, or templates of
            one kind are of different encoders.
    """
    encoders = Encoders()
    taken: list[tuple[Modality, int]] = []
    positioned: list[tuple[int, matcher_ext.Template]] = []
    for index, template in enumerate(templates):
        _check_place(index, template, taken)
        taken.append((template.modality, template.position))
        try:
            own, native = _parse(template)
        except (BiometricsError, matcher_ext.MatcherError) as error:
            unusable = error.reason in _UNUSABLE
            raise TemplateRefusedError(index, "data", error.reason, unusable=unusable) from error
        joined = encoders.joined(own)
        if joined is None:
            raise TemplateRefusedError(index, "data", "ENCODERS_DIFFER")
        encoders = joined
        positioned.append((template.position, native))
    return ParsedTemplates(encoders, tuple(positioned))


def _check_place(index: int, template: Template, taken: Sequence[tuple[Modality, int]]) -> None:
    modality = template.modality
    if not 0 <= template.position <= _MAX_POSITION[modality]:
        raise TemplateRefusedError(index, "position", "POSITION_OUT_OF_RANGE")
    single = template.position != 0 or modality is Modality.FACE
    if single and (modality, template.position) in taken:
        raise TemplateRefusedError(index, "position", "POSITION_REPEATED")
    if sum(each is modality for each, _ in taken) >= _MOST[modality]:
        raise TemplateRefusedError(index, "position", "TEMPLATES_TOO_MANY")


def _parse(template: Template) -> tuple[Encoders, matcher_ext.Template]:
    match template.modality:
        case Modality.FINGER:
            return Encoders(), matcher_ext.FingerTemplate.from_record(template.data)
        case Modality.IRIS:
            iris = read_iris_code(template.data)
            native = matcher_ext.IrisTemplate(iris.code, iris.mask)
            return Encoders(iris=iris.encoder), native
        case Modality.FACE:
            face = read_face_embedding(template.data)
            if face.element_type is ElementType.INT8:
                vector = np.frombuffer(face.elements, dtype=np.int8).astype(np.float32)
            else:
                vector = np.frombuffer(face.elements, dtype="<f4").astype(np.float32)
            return Encoders(Face(face.encoder, face.dimensions)), matcher_ext.FaceTemplate(vector)
