"""Fingers and eyes by their ISO code, their CBEFF subtype and MOSIP's name for the body part.

Source: ISO/IEC 19794-2:2005 table 2 (fingers), 19794-6:2011 (eyes); ISO/IEC 19785-3 (subtypes);
mosip/documentation, packet_meta_info.json (names).
"""

from typing import Final

from services.common.biometrics.errors import BiometricsError

UNKNOWN_POSITION: Final = 0
UNKNOWN_SUBTYPE: Final = "UNKNOWN"

FINGER_SUBTYPES: Final = {
    1: "Right Thumb",
    2: "Right IndexFinger",
    3: "Right MiddleFinger",
    4: "Right RingFinger",
    5: "Right LittleFinger",
    6: "Left Thumb",
    7: "Left IndexFinger",
    8: "Left MiddleFinger",
    9: "Left RingFinger",
    10: "Left LittleFinger",
}
IRIS_SUBTYPES: Final = {1: "Right", 2: "Left"}

_FINGER_POSITIONS = {subtype: position for position, subtype in FINGER_SUBTYPES.items()}
_IRIS_POSITIONS = {subtype: position for position, subtype in IRIS_SUBTYPES.items()}


def finger_subtype(position: int) -> str:
    """Return the CBEFF subtype of a finger position; UNKNOWN for 0.

    Raises:
        BiometricsError: POSITION_UNKNOWN for anything but 0 to 10.
    """
    if position == UNKNOWN_POSITION:
        return UNKNOWN_SUBTYPE
    if position not in FINGER_SUBTYPES:
        raise BiometricsError("POSITION_UNKNOWN", "finger position")
    return FINGER_SUBTYPES[position]


def finger_position(subtype: str) -> int:
    """Return the ISO position of a finger's CBEFF subtype; 0 for UNKNOWN and for none.

    Raises:
        BiometricsError: SUBTYPE_UNKNOWN.
    """
    if subtype in ("", UNKNOWN_SUBTYPE):
        return UNKNOWN_POSITION
    if subtype not in _FINGER_POSITIONS:
        raise BiometricsError("SUBTYPE_UNKNOWN", "finger subtype")
    return _FINGER_POSITIONS[subtype]


def iris_subtype(eye: int) -> str:
    """Return the CBEFF subtype of an eye label; UNKNOWN for 0.

    Raises:
        BiometricsError: POSITION_UNKNOWN for anything but 0 to 2.
    """
    if eye == UNKNOWN_POSITION:
        return UNKNOWN_SUBTYPE
    if eye not in IRIS_SUBTYPES:
        raise BiometricsError("POSITION_UNKNOWN", "eye label")
    return IRIS_SUBTYPES[eye]


def iris_position(subtype: str) -> int:
    """Return the eye label of an iris' CBEFF subtype; 0 for UNKNOWN and for none.

    Raises:
        BiometricsError: SUBTYPE_UNKNOWN.
    """
    if subtype in ("", UNKNOWN_SUBTYPE):
        return UNKNOWN_POSITION
    if subtype not in _IRIS_POSITIONS:
        raise BiometricsError("SUBTYPE_UNKNOWN", "iris subtype")
    return _IRIS_POSITIONS[subtype]


def body_part(bio_type: str, subtype: str) -> str:
    """Return MOSIP's name in packet_meta_info: "rightIndex", "leftEye", "face".

    Raises:
        BiometricsError: SUBTYPE_UNKNOWN where there is no such name.
    """
    if bio_type == "Face":
        return "face"
    if bio_type == "Iris" and subtype in _IRIS_POSITIONS:
        return f"{subtype.lower()}Eye"
    if bio_type == "Finger" and subtype in _FINGER_POSITIONS:
        side, finger = subtype.split()
        return side.lower() + finger.removesuffix("Finger")
    raise BiometricsError("SUBTYPE_UNKNOWN", "body part")
