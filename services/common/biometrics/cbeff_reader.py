"""CBEFF XML in the dialects that MOSIP's releases have written.

Accepted: the namespaces of ISO 19785-3 and of OASIS BIAS (MOSIP before 1.0), `others/entry` and
`Others/Key+Value`, base64 in both alphabets. Elements that are not known are passed over.
"""

import binascii
import re
from datetime import UTC, datetime

from services.common.biometrics.bir import (
    BIO_TYPES,
    LEVELS,
    PURPOSES,
    SUBTYPE_WORDS,
    BiometricRecord,
    Bir,
    Quality,
    RegistryId,
)
from services.common.biometrics.errors import BiometricsError
from services.common.biometrics.xml_tree import Element, XmlLimits, parse_xml
from services.common.mosip_wire import base64url

NAMESPACE = "http://standards.iso.org/iso-iec/19785/-3/ed-2/"
NAMESPACES = frozenset({NAMESPACE, "http://docs.oasis-open.org/bias/ns/biaspatronformat-1.0/"})
DEFAULT_XML_LIMITS = XmlLimits()
MAX_SEGMENTS = 64

_MAX_TEXT = 256
_UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def read_cbeff(
    xml: bytes, limits: XmlLimits = DEFAULT_XML_LIMITS, max_segments: int = MAX_SEGMENTS
) -> BiometricRecord:
    """Read a CBEFF document; the data blocks are decoded, not parsed.

    Raises:
        BiometricsError: what parse_xml raises; NOT_CBEFF, TOO_MANY_SEGMENTS; for a segment
            BDB_NOT_BASE64, SB_NOT_BASE64, TYPE_UNKNOWN, SUBTYPE_UNKNOWN, VALUE_INVALID or
            ELEMENT_MISSING, with field "BIR[<index>].<element>".
    """
    root = parse_xml(xml, limits)
    if root.name != "BIR" or root.namespace not in NAMESPACES:
        raise BiometricsError("NOT_CBEFF", "xml")
    segments = root.find_all("BIR")
    if len(segments) > max_segments:
        raise BiometricsError("TOO_MANY_SEGMENTS", "xml")
    return BiometricRecord(
        segments=tuple(_segment(item, f"BIR[{i}]") for i, item in enumerate(segments)),
        others=_others(root, "BIR"),
    )


def _segment(element: Element, path: str) -> Bir:
    info = element.find("BDBInfo")
    if info is None:
        raise BiometricsError("ELEMENT_MISSING", f"{path}.BDBInfo")
    bio_type = _text(info, "Type", path)
    if bio_type not in BIO_TYPES:
        raise BiometricsError("TYPE_UNKNOWN", f"{path}.Type")
    words = (_text(info, "Subtype", path) or "").split()
    if not SUBTYPE_WORDS.issuperset(words):
        raise BiometricsError("SUBTYPE_UNKNOWN", f"{path}.Subtype")
    index = _text(info, "Index", path)
    if index is not None and not _UUID.fullmatch(index):
        raise BiometricsError("VALUE_INVALID", f"{path}.Index")
    return Bir(
        type=bio_type,
        subtype=" ".join(words),
        format=_registry_id(info, "Format", path),
        bdb=_bytes(element, "BDB", path),
        sb=_bytes(element, "SB", path),
        purpose=_one_of(info, "Purpose", path, PURPOSES),
        level=_one_of(info, "Level", path, LEVELS),
        quality=_quality(info, path),
        index=index,
        created_at=_instant(info, "CreationDate", path),
        others=_others(element, path),
    )


def _text(parent: Element, name: str, path: str) -> str | None:
    """Return a child's text; None where it is absent or empty."""
    child = parent.find(name)
    if child is None or not child.text:
        return None
    if len(child.text) > _MAX_TEXT:
        raise BiometricsError("VALUE_INVALID", f"{path}.{name}")
    return child.text


def _one_of(parent: Element, name: str, path: str, allowed: frozenset[str]) -> str | None:
    text = _text(parent, name, path)
    if text is not None and text not in allowed:
        raise BiometricsError("VALUE_INVALID", f"{path}.{name}")
    return text


def _registry_id(parent: Element, name: str, path: str) -> RegistryId | None:
    child = parent.find(name)
    if child is None:
        return None
    path = f"{path}.{name}"
    organization, type_ = _text(child, "Organization", path), _text(child, "Type", path)
    if organization is None or type_ is None:
        raise BiometricsError("ELEMENT_MISSING", path)
    return RegistryId(organization, type_)


def _quality(info: Element, path: str) -> Quality | None:
    child = info.find("Quality")
    if child is None:
        return None
    path = f"{path}.Quality"
    algorithm = _registry_id(child, "Algorithm", path) or RegistryId("", "")
    text = _text(child, "Score", path)
    if text is None:
        return Quality(algorithm, None)
    # MOSIP's own code writes some scores as 80.0.
    found = re.fullmatch(r"([0-9]{1,3})(\.[0-9]{1,16})?", text, re.ASCII)
    if found is None or float(text) > 100:
        raise BiometricsError("VALUE_INVALID", f"{path}.Score")
    return Quality(algorithm, int(found[1]))


def _instant(info: Element, name: str, path: str) -> datetime | None:
    text = _text(info, name, path)
    if text is None:
        return None
    if not _INSTANT.fullmatch(text):
        raise BiometricsError("VALUE_INVALID", f"{path}.{name}")
    try:
        at = datetime.fromisoformat(text)
        # MOSIP's LocalDateTime has no zone and means UTC.
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BiometricsError("VALUE_INVALID", f"{path}.{name}") from None


def _bytes(parent: Element, name: str, path: str) -> bytes:
    child = parent.find(name)
    if child is None:
        return b""
    try:
        return base64url.decode(child.text, allow_whitespace=True)
    except (ValueError, binascii.Error):
        raise BiometricsError(f"{name}_NOT_BASE64", f"{path}.{name}") from None


def _others(parent: Element, path: str) -> dict[str, str]:
    pairs: list[tuple[str, str]] = []
    for item in parent.find_all("others"):
        pairs += [(e.attributes.get("key", ""), e.text) for e in item.find_all("entry")]
    for item in parent.find_all("Others"):
        key, value = item.find("Key"), item.find("Value")
        if key is not None:
            pairs.append((key.text, "" if value is None else value.text))
    others = dict(pairs)
    if len(others) != len(pairs) or "" in others or any(len(k) > _MAX_TEXT for k in others):
        raise BiometricsError("VALUE_INVALID", f"{path}.others")
    return others
