"""What the captures of one request must keep among themselves and with the envelope.

Source: mosip/id-authentication, AuthRequestValidator.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from services.common.mosip_wire.biometric_block import Capture, DigitalId
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, invalid
from services.common.mosip_wire.requests import AuthRequest, EnvironmentRules
from services.common.mosip_wire.times import TimeWindow

UNKNOWN_SUBTYPE = "UNKNOWN"
_FINGERS = frozenset(
    f"{side} {finger}"
    for side in ("Left", "Right")
    for finger in ("Thumb", "IndexFinger", "MiddleFinger", "RingFinger", "LittleFinger")
)
_SUBTYPES = {
    "Finger": _FINGERS | {UNKNOWN_SUBTYPE},
    "FMR": _FINGERS | {UNKNOWN_SUBTYPE},
    "Iris": frozenset({"Left", "Right", UNKNOWN_SUBTYPE}),
    "Face": frozenset({None, "Face", UNKNOWN_SUBTYPE}),
}
_MAX_FINGERS = 10
_MAX_IRISES = 2


@dataclass(frozen=True, slots=True)
class CaptureRules:
    """Limits for captures.

    Attributes:
        max_gap_s: between one capture and the next, in seconds.
        minutiae_allowed: whether bioType FMR is taken beside Finger.
        environment: allowed environments and domain URIs.
    """

    max_gap_s: int = 120
    minutiae_allowed: bool = False
    environment: EnvironmentRules = field(default_factory=EnvironmentRules)


def check_captures(
    request: AuthRequest,
    captures: Sequence[tuple[Capture, DigitalId]],
    now: datetime,
    window: TimeWindow,
    rules: CaptureRules,
) -> None:
    """Check types, counts, transaction ids, times, environments and devices.

    Raises:
        WireError: IDA-MLC-009 for a type, subtype, transaction id, environment or domain URI;
            IDA-MLC-024 where the envelope's differ; IDA-BIA-002, -003, -007, -008, -009 for
            counts; IDA-MLC-001, -030, -031 for times; IDA-DPM-004 without a device that fits.
    """
    for index, (capture, _) in enumerate(captures):
        _check_type(capture, index, rules)
        if capture.transaction_id != request.transaction_id:
            raise invalid(f"request/biometrics/{index}/data/transactionId")
        _check_place(request, capture, index, rules.environment)
    _check_counts([capture for capture, _ in captures])
    _check_times(captures, now, window, rules.max_gap_s)
    _check_devices(captures)


def _check_type(capture: Capture, index: int, rules: CaptureRules) -> None:
    subtypes = _SUBTYPES.get(capture.bio_type)
    if subtypes is None or (capture.bio_type == "FMR" and not rules.minutiae_allowed):
        raise invalid(f"request/biometrics/{index}/data/bioType")
    if capture.bio_subtype not in subtypes:
        raise invalid(f"request/biometrics/{index}/data/bioSubType")


def _check_place(
    request: AuthRequest, capture: Capture, index: int, rules: EnvironmentRules
) -> None:
    for name, outer, inner, allowed in (
        ("env", request.env, capture.env, rules.allows_env),
        ("domainUri", request.domain_uri, capture.domain_uri, rules.allows_domain_uri),
    ):
        here, there = f"request/biometrics/{index}/data/{name}", f"request/{name}"
        if inner is None and outer is not None:
            raise invalid(here)
        if outer is None and inner is not None:
            raise invalid(there)
        if inner != outer:
            raise WireError(IdaError.INPUT_MISMATCH, here, there)
        if inner is not None and not allowed(inner):
            raise invalid(here)


def _check_counts(captures: Sequence[Capture]) -> None:
    fingers = Counter(c.bio_subtype for c in captures if c.bio_type in ("Finger", "FMR"))
    irises = Counter(c.bio_subtype for c in captures if c.bio_type == "Iris")
    faces = sum(c.bio_type == "Face" for c in captures)
    if _repeats(fingers):
        raise WireError(IdaError.DUPLICATE_FINGER)
    if fingers.total() > _MAX_FINGERS:
        raise WireError(IdaError.FINGER_EXCEEDING, _MAX_FINGERS)
    if _repeats(irises):
        raise WireError(IdaError.DUPLICATE_IRIS)
    if irises.total() > _MAX_IRISES:
        raise WireError(IdaError.IRIS_EXCEEDING)
    if faces > 1:
        raise WireError(IdaError.FACE_EXCEEDING)


def _repeats(subtypes: Counter[str | None]) -> bool:
    return any(n > 1 for subtype, n in subtypes.items() if subtype != UNKNOWN_SUBTYPE)


def _check_times(
    captures: Sequence[tuple[Capture, DigitalId]], now: datetime, window: TimeWindow, gap_s: int
) -> None:
    """Check the last capture against the window, each other one against the one before it."""
    for (before, device_before), (after, device_after) in pairwise(captures):
        if not 0 <= (after.timestamp - before.timestamp).total_seconds() <= gap_s:
            raise WireError(IdaError.INVALID_BIO_TIMESTAMP, gap_s)
        gap = device_after.captured_at - device_before.captured_at
        if not 0 <= gap.total_seconds() <= gap_s:
            raise WireError(IdaError.INVALID_BIO_DIGITALID_TIMESTAMP, gap_s)
    if captures:
        last = len(captures) - 1
        capture, device = captures[last]
        path = f"request/biometrics/{last}/data"
        window.check(capture.timestamp, now, f"{path}/timestamp")
        window.check(device.captured_at, now, f"{path}/digitalId/dateTime")


def _check_devices(captures: Sequence[tuple[Capture, DigitalId]]) -> None:
    """Each modality needs some device of its type; MOSIP does not ask for it block by block."""
    types = {device.type.casefold() for _, device in captures}
    for capture, _ in captures:
        modality = "finger" if capture.bio_type == "FMR" else capture.bio_type.casefold()
        if modality not in types:
            raise WireError(IdaError.DEVICE_TYPE_BIO_TYPE_NOT_MATCH)
