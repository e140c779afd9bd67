"""Templates out of a CBEFF document, each parsed before anything else sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.common.biometrics import (
    BiometricsError,
    Bir,
    CapturedTemplate,
    read_cbeff,
    read_face_embedding,
    read_finger_minutiae,
    read_iris_code,
    sort_captures,
)
from services.processing.domain.packet import Modality, PacketRefusedError, Template

CBEFF_INVALID = "RPR-PVM-FAILED-015"
BIOMETRICS_INVALID = "RPR-PVM-FAILED-013"
MAX_TEMPLATES = 64

_KINDS: Mapping[str, tuple[Modality, Callable[[bytes], object]]] = {
    "Finger": (Modality.FINGER, read_finger_minutiae),
    "Iris": (Modality.IRIS, read_iris_code),
    "Face": (Modality.FACE, read_face_embedding),
}


def check_cbeff(xml: bytes) -> None:
    """Refuse what is no CBEFF document.

    Raises:
        PacketRefusedError: CBEFF_MALFORMED.
    """
    _segments(xml)


def templates_of(xml: bytes) -> tuple[Template, ...]:
    """Return the templates of an applicant's CBEFF document; exceptions are passed over.

    Pictures cannot be searched for, so a document of pictures alone is refused.

    Raises:
        PacketRefusedError: CBEFF_MALFORMED, TEMPLATE_MALFORMED, TEMPLATE_REPEATED,
            TEMPLATES_MISSING.
    """
    segments = _segments(xml)
    try:
        captures = sort_captures(segments)
        templates = [_template(each) for each in captures.templates]
    except BiometricsError as error:
        raise PacketRefusedError("TEMPLATE_MALFORMED", BIOMETRICS_INVALID) from error
    if not templates and any(bir.bdb and not bir.is_exception for bir in segments):
        raise PacketRefusedError("TEMPLATES_MISSING", BIOMETRICS_INVALID)
    places = [(each.modality, each.position) for each in templates]
    if len(set(places)) != len(places) or len(places) > MAX_TEMPLATES:
        raise PacketRefusedError("TEMPLATE_REPEATED", BIOMETRICS_INVALID)
    return tuple(templates)


def _segments(xml: bytes) -> tuple[Bir, ...]:
    try:
        return read_cbeff(xml).segments
    except BiometricsError as error:
        raise PacketRefusedError("CBEFF_MALFORMED", CBEFF_INVALID) from error


def _template(capture: CapturedTemplate) -> Template:
    modality, parse = _KINDS[capture.type]
    parse(capture.data)
    return Template(modality, capture.position, capture.data)
