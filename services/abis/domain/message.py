"""MOSIP's ABIS messages: what a request says, what is wrong with one, how an answer is written.

    {"id": "mosip.abis.insert", "version": "1.1", "requestId": ..., "requesttime": ...,
     "referenceId": ..., "referenceURL": ...}

MOSIP writes `referenceURL` in one message and `referenceUrl` in another; older releases `ver`,
`timestamp` in seconds, and the flags outside `flags`. All are read. Every number is a string.
Source: mosip/documentation, biometrics/abis-api.md, version 0.9; mosip/registration, dto/abis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any, Final
from uuid import UUID

from services.common.mosip_wire.strict_json import (
    JsonLimits,
    JsonObject,
    JsonRefusedError,
    dumps,
    loads_object,
)
from services.common.mosip_wire.times import format_time

VERSIONS: Final = frozenset({"1.0", "1.1"})
DEFAULT_MAX_RESULTS: Final = 10
MOST_RESULTS: Final = 100
MOST_AMONG: Final = 1000

_LIMITS = JsonLimits(max_bytes=1024 * 1024, max_depth=6, max_nodes=10_000)
_MOST_TEXT = 4096
_MOST_ID = 128
# round(-10 * log10(FPIR)): 120 is one in a million million.
_MOST_TARGET_FPIR = 120
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
# Seconds or milliseconds since 1970.
_EPOCH = re.compile(r"[0-9]{10}([0-9]{3})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Failure(IntEnum):
    """MOSIP's failureReason.

    Of several, the one told is the first in this order: STRUCTURE, ID, VERSION,
    REQUEST_ID_MISSING, REQUEST_TIME_MISSING, REQUEST_TIME_FORMAT; then see HandleMessage.
    """

    INTERNAL = 1
    ABORTED = 2
    UNEXPECTED = 3
    STRUCTURE = 4
    REFERENCE_ID_MISSING = 5
    REQUEST_ID_MISSING = 6
    NOT_FETCHED = 7
    REFERENCE_URL_MISSING = 8
    REQUEST_TIME_MISSING = 9
    REFERENCE_EXISTS = 10
    CBEFF_EMPTY = 11
    REFERENCE_UNKNOWN = 12
    VERSION = 13
    ID = 14
    REQUEST_TIME_FORMAT = 15
    CBEFF_FORMAT = 16
    URL_EXPIRED = 17
    QUALITY = 18


class MessageRefusedError(Exception):
    """A request is answered with a failureReason."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.name)
        self.failure = failure


class Kind(Enum):
    """What is asked for."""

    INSERT = "mosip.abis.insert"
    IDENTIFY = "mosip.abis.identify"
    DELETE = "mosip.abis.delete"
    PING = "mosip.abis.ping"
    PENDING_JOBS = "mosip.abis.pendingJobs"
    REFERENCE_COUNT = "mosip.abis.referenceCount"


_KINDS: Final = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an answer repeats: both as they were sent, empty where that cannot be known."""

    id: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is well-formed.

    Attributes:
        reference_id: as it was sent, empty where there is none.
        reference_url: empty where there is none.
        among: only these references; None means all.
        target_fpir: non-mated candidates per search, a proportion; None means the policy's.
    """

    kind: Kind
    request_id: str
    reference_id: str = ""
    reference_url: str = field(default="", repr=False)
    max_results: int = DEFAULT_MAX_RESULTS
    target_fpir: float | None = None
    among: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Similar:
    """A candidate as an answer tells it; modalities by MOSIP's names: FIR, IIR, FID.

    Scores are the matcher's own, confidences lie in [0, 1].
    """

    reference_id: UUID
    score: float
    confidence: float
    modalities: Mapping[str, tuple[float, float]]


def as_uuid(reference_id: str) -> UUID | None:
    """Return a reference id as it is stored, None for a text that no reference can have."""
    found = UUID(reference_id) if _UUID.fullmatch(reference_id) else None
    return found if found is None or found.int else None


def envelope_of(data: bytes) -> tuple[Envelope, JsonObject]:
    """Return what the answer repeats, and the document; empty ones where it is no JSON object."""
    try:
        document = loads_object(data, _LIMITS)
    except JsonRefusedError:
        return Envelope(), {}
    texts = [document.get(name) for name in ("id", "requestId")]
    kept = [text if isinstance(text, str) and len(text) <= _MOST_ID else "" for text in texts]
    return Envelope(*kept), document


def parse(document: JsonObject) -> Request:
    """Return what a document asks for; what is missing where it is needed is told later.

    Raises:
        MessageRefusedError: in the order of Failure.
    """
    if not document:
        raise MessageRefusedError(Failure.STRUCTURE)
    kind_text = _text(document, "id", most=_MOST_ID)
    version = _text(document, "version", "ver", most=_MOST_ID)
    request_id = _text(document, "requestId", most=_MOST_ID)
    at = _scalar(document, "requesttime", "requestTime", "timestamp")
    reference_id = _text(document, "referenceId", most=_MOST_ID)
    url = _text(document, "referenceURL", "referenceUrl", "referenceurl")
    flags = {**document, **_object(document, "flags")}
    max_results = _whole(flags, "maxResults", least=1, most=10**9)
    target = _whole(flags, "targetFPIR", "targetFpir", least=0, most=_MOST_TARGET_FPIR)
    among = _gallery(_object(document, "gallery"))
    kind = _KINDS.get(kind_text)
    if kind is None:
        raise MessageRefusedError(Failure.ID)
    if version not in VERSIONS:
        raise MessageRefusedError(Failure.VERSION)
    if not request_id:
        raise MessageRefusedError(Failure.REQUEST_ID_MISSING)
    _check_time(at)
    return Request(
        kind=kind,
        request_id=request_id,
        reference_id=reference_id,
        reference_url=url,
        max_results=min(max_results or DEFAULT_MAX_RESULTS, MOST_RESULTS),
        target_fpir=None if target is None else math.pow(10, -target / 10),
        among=among,
    )


def failed(envelope: Envelope, at: datetime, failure: Failure) -> bytes:
    """Return the answer to a request that was not served."""
    return dumps(_head(envelope, at, "2") | {"failureReason": str(failure.value)})


def done(envelope: Envelope, at: datetime, **more: object) -> bytes:
    """Return the answer to a request that was served; more by the wire's names."""
    return dumps(_head(envelope, at, "1") | more)


def candidate_list(candidates: Iterable[Similar]) -> JsonObject:
    """Return the candidateList, in the order given."""
    listed = [
        {
            "referenceId": str(each.reference_id),
            "analytics": _analytics(each.score, each.confidence),
            "modalities": [
                {"biometricType": name, "analytics": _analytics(*scores)}
                for name, scores in each.modalities.items()
            ],
        }
        for each in candidates
    ]
    return {"count": str(len(listed)), "candidates": listed}


def _head(envelope: Envelope, at: datetime, return_value: str) -> JsonObject:
    return {
        "id": envelope.id,
        "requestId": envelope.request_id,
        "responsetime": format_time(at),
        "returnValue": return_value,
    }


def _analytics(score: float, confidence: float) -> JsonObject:
    percent = round(100 * min(max(confidence, 0.0), 1.0))
    return {"confidence": str(percent), "internalScore": f"{score:.4f}"}


def _value(document: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((found for name in names if (found := document.get(name)) is not None), None)


def _text(document: Mapping[str, Any], *names: str, most: int = _MOST_TEXT) -> str:
    """Return the first of several spellings that has a value, "" where none has."""
    found = _value(document, names)
    if found is None:
        return ""
    if not isinstance(found, str) or len(found) > most:
        raise MessageRefusedError(Failure.STRUCTURE)
    return found.strip()


def _scalar(document: Mapping[str, Any], *names: str) -> str:
    """Return a text or a whole number as text."""
    found = _value(document, names)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return _text(document, *names)


def _whole(document: Mapping[str, Any], *names: str, least: int, most: int) -> int | None:
    text = _scalar(document, *names)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or not least <= int(text) <= most:
        raise MessageRefusedError(Failure.STRUCTURE)
    return int(text)


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MessageRefusedError(Failure.STRUCTURE)
    return found


def _gallery(gallery: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the references to search among; an empty gallery restricts nothing."""
    listed = gallery.get("referenceIds")
    if listed is None:
        return None
    if not isinstance(listed, list) or len(listed) > MOST_AMONG:
        raise MessageRefusedError(Failure.STRUCTURE)
    found = []
    for each in listed:
        if not isinstance(each, dict):
            raise MessageRefusedError(Failure.STRUCTURE)
        found.append(_text(each, "referenceId", most=_MOST_ID))
    if not all(found):
        raise MessageRefusedError(Failure.STRUCTURE)
    return tuple(found) or None


def _check_time(text: str) -> None:
    """Refuse a time that is missing or of no form that MOSIP has sent; it is not used."""
    if not text:
        raise MessageRefusedError(Failure.REQUEST_TIME_MISSING)
    if _EPOCH.fullmatch(text):
        return
    try:
        if not _INSTANT.fullmatch(text):
            raise ValueError("another form")
        at = datetime.fromisoformat(text)
        at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MessageRefusedError(Failure.REQUEST_TIME_FORMAT) from None
