"""JSON as strangers send it: bounded in size and depth, and with one meaning only."""

import json
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Bounds of a document.

    Attributes:
        max_bytes: of the encoded document.
        max_depth: of nested objects and arrays; the outermost is depth 1.
        max_nodes: of values in the document, object keys not counted.
    """

    max_bytes: int = 2 * 1024 * 1024
    max_depth: int = 16
    max_nodes: int = 20_000


DEFAULT_JSON_LIMITS = JsonLimits()


class JsonRefusedError(ValueError):
    """A document is not acceptable JSON. The message never quotes the document.

    Attributes:
        reason: TOO_LARGE, NOT_UTF8, SYNTAX, DUPLICATE_KEY, TOO_DEEP, TOO_MANY_NODES, BAD_TEXT
            or NOT_OBJECT.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise JsonRefusedError("DUPLICATE_KEY")
    return document


def _no_constant(_name: str) -> None:
    raise JsonRefusedError("SYNTAX")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def loads_object(data: bytes, limits: JsonLimits = DEFAULT_JSON_LIMITS) -> JsonObject:
    """Read one JSON object.

    Refused besides bad syntax: a key given twice, NaN and Infinity, half of a surrogate pair and
    U+0000 in a string (neither can be stored), nesting and size past the limits.

    Raises:
        JsonRefusedError: see its reasons.
    """
    if len(data) > limits.max_bytes:
        raise JsonRefusedError("TOO_LARGE")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise JsonRefusedError("NOT_UTF8") from None
    try:
        document = _DECODER.decode(text)
    except JsonRefusedError:
        raise
    except RecursionError:
        raise JsonRefusedError("TOO_DEEP") from None
    except ValueError:
        raise JsonRefusedError("SYNTAX") from None
    if not isinstance(document, dict):
        raise JsonRefusedError("NOT_OBJECT")
    _check_nodes(document, limits)
    return document


def _check_nodes(document: JsonObject, limits: JsonLimits) -> None:
    level: list[Any] = [document]
    nodes = depth = 0
    while level:
        depth += 1
        below: list[Any] = []
        for container in level:
            nodes += len(container)
            if isinstance(container, dict):
                for key in container:
                    _check_text(key)
                values: Any = container.values()
            else:
                values = container
            for value in values:
                if isinstance(value, str):
                    _check_text(value)
                elif isinstance(value, dict | list):
                    below.append(value)
        if nodes > limits.max_nodes:
            raise JsonRefusedError("TOO_MANY_NODES")
        if depth > limits.max_depth:
            raise JsonRefusedError("TOO_DEEP")
        level = below


def _check_text(text: str) -> None:
    if "\0" in text:
        raise JsonRefusedError("BAD_TEXT")
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise JsonRefusedError("BAD_TEXT") from None


def dumps(document: object) -> bytes:
    """Return document as compact JSON in UTF-8, keys in the order given."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8"
    )
