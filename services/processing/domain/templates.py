"""Templates out of a CBEFF document, each parsed before anything else sees it."""

from __future__ import annotations

from services.common.biometrics import (
    BiometricsError,
    Bir,
    finger_position,
    iris_position,
    read_cbeff,
    read_face_embedding,
    read_fmr,
    read_iris_code,
)
from services.processing.domain.packet import Modality, PacketRefusedError, Template

CBEFF_INVALID = "RPR-PVM-FAILED-015"
BIOMETRICS_INVALID = "RPR-PVM-FAILED-013"
MAX_TEMPLATES = 64

_FMR, _IRIS, _FACE = b"FMR\x00", b"IDMI", b"IDMF"


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
    templates: list[Template] = []
    captured = [bir for bir in _segments(xml) if bir.bdb and not bir.is_exception]
    for bir in captured:
        try:
            template = _template(bir)
        except BiometricsError as error:
            raise PacketRefusedError("TEMPLATE_MALFORMED", BIOMETRICS_INVALID) from error
        if template is not None:
            templates.append(template)
    if captured and not templates:
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


def _template(bir: Bir) -> Template | None:
    if bir.type == "Finger" and bir.bdb.startswith(_FMR):
        read_fmr(bir.bdb)
        return Template(Modality.FINGER, finger_position(bir.subtype), bir.bdb)
    if bir.type == "Iris" and bir.bdb.startswith(_IRIS):
        read_iris_code(bir.bdb)
        return Template(Modality.IRIS, iris_position(bir.subtype), bir.bdb)
    if bir.type == "Face" and bir.bdb.startswith(_FACE):
        read_face_embedding(bir.bdb)
        return Template(Modality.FACE, 0, bir.bdb)
    return None
