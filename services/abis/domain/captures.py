"""Templates out of the CBEFF document that a message points to."""

from __future__ import annotations

from typing import Final

from services.abis.domain.message import Failure, MessageRefusedError
from services.abis.domain.reference import Modality, Template
from services.common.biometrics import BiometricsError, read_cbeff, sort_captures

MOST_TEMPLATES: Final = 64

_MODALITIES: Final = {"Finger": Modality.FINGER, "Iris": Modality.IRIS, "Face": Modality.FACE}


def templates_of(xml: bytes) -> list[Template]:
    """Return the templates of a person; exceptions are passed over.

    A picture whose place no template covers is refused: nothing here extracts templates, and a
    person searched for without that finger or eye could be missed.

    Raises:
        MessageRefusedError: CBEFF_EMPTY, nothing was captured; CBEFF_FORMAT.
    """
    if not xml.strip():
        raise MessageRefusedError(Failure.CBEFF_EMPTY)
    try:
        captures = sort_captures(read_cbeff(xml).segments)
    except BiometricsError as error:
        raise MessageRefusedError(Failure.CBEFF_FORMAT) from error
    if captures.unusable or len(captures.templates) > MOST_TEMPLATES:
        raise MessageRefusedError(Failure.CBEFF_FORMAT)
    if not captures.templates:
        raise MessageRefusedError(Failure.CBEFF_EMPTY)
    return [
        Template(_MODALITIES[each.type], each.position, each.data) for each in captures.templates
    ]
