"""Captured samples against a person's templates: which pairs to compare, what decides."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.authentication.domain.individual import Modality, ReferenceTemplate
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError

_FINGERS = (
    "Right Thumb",
    "Right IndexFinger",
    "Right MiddleFinger",
    "Right RingFinger",
    "Right LittleFinger",
    "Left Thumb",
    "Left IndexFinger",
    "Left MiddleFinger",
    "Left RingFinger",
    "Left LittleFinger",
)
_POSITIONS = {
    Modality.FINGER: {name: number for number, name in enumerate(_FINGERS, 1)},
    Modality.IRIS: {"Right": 1, "Left": 2},
    Modality.FACE: {},
}
_MODALITIES = {
    "Finger": Modality.FINGER,
    "FMR": Modality.FINGER,
    "Iris": Modality.IRIS,
    "Face": Modality.FACE,
}


@dataclass(frozen=True, slots=True)
class Probe:
    """A decrypted sample of a request.

    Attributes:
        bio_type, position: MOSIP's type, and the place on the body, 0 for unknown.
        data: a record of the same form as a reference's.
    """

    bio_type: str
    modality: Modality
    position: int
    data: bytes = field(repr=False)


def modality_of(bio_type: str) -> Modality:
    """Return the modality of MOSIP's bioType, which was checked before."""
    return _MODALITIES[bio_type]


def probe_of(bio_type: str, bio_subtype: str | None, data: bytes) -> Probe:
    """Return the probe of a sample; an unknown or missing subtype is position 0."""
    modality = modality_of(bio_type)
    return Probe(bio_type, modality, _POSITIONS[modality].get(bio_subtype or "", 0), data)


def references_for(
    probe: Probe, templates: Sequence[ReferenceTemplate]
) -> tuple[ReferenceTemplate, ...]:
    """Return what a probe is compared with: its own position, or all where one is unknown."""
    return tuple(
        template
        for template in templates
        if template.modality is probe.modality
        and (probe.position == 0 or template.position in (0, probe.position))
    )


def check_comparable(probes: Sequence[Probe], templates: Sequence[ReferenceTemplate]) -> None:
    """Refuse when a person has nothing to compare a probe with.

    Raises:
        WireError: IDA-BIA-006.
    """
    for probe in probes:
        if not references_for(probe, templates):
            raise WireError(IdaError.BIOMETRIC_MISSING, probe.modality.name)


def by_modality(probes: Sequence[Probe]) -> dict[Modality, list[Probe]]:
    """Return the probes of each modality, in the order of the request."""
    groups: dict[Modality, list[Probe]] = {}
    for probe in probes:
        groups.setdefault(probe.modality, []).append(probe)
    return groups


def mismatch(modality: Modality) -> WireError:
    """Return IDA-BIA-001."""
    return WireError(IdaError.BIO_MISMATCH, f" - {modality.name}")
