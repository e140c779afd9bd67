"""Whether a JSON body says only what its message knows; the rules of values are not asked here.

The edge's transcoder drops unknown members and lets the last of two equal ones win, both
silently. What is taken here is a subset of what the transcoder takes, read the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from services.common.errors import FieldViolation, InvalidArgument
from services.common.rpc.validation import INVALID, MOST_TOLD

MAX_DEPTH = 32
# JSON of their own: any, or text and numbers.
_OPEN = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})
_PLAIN = frozenset(
    f"google.protobuf.{name}"
    for name in (
        *("Timestamp", "Duration", "FieldMask", "BoolValue", "StringValue", "BytesValue"),
        *("DoubleValue", "FloatValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value"),
    )
)
# A member's name is the caller's data until it is known: shown only if it looks like a name.
_NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,63}")


class _Object(list[tuple[str, Any]]):
    """A JSON object with all its members, those of equal names too."""


def check(message: Descriptor, body: str, raw: bytes) -> None:
    """Refuse a body that holds anything which message does not.

    Args:
        message: what the RPC takes.
        body: the field of message that the body is; "*", the body is the message; empty, there
            is to be none.
        raw: the body. Empty is as good as {}.

    Raises:
        InvalidArgument: REQUEST_MALFORMED, it is no JSON or is not to be; REQUEST_INVALID with
            a violation for each member that is unknown, comes twice or has another shape. Never
            with a value.
    """
    if not raw:
        return
    if not body:
        raise InvalidArgument("REQUEST_MALFORMED", "This call takes no body.")
    value = _parsed(raw)
    walk = _message(message, value, "", 0)
    if body != "*":
        walk = _field(message.fields_by_name[body], value, body, 0)
    if violations := list(islice(walk, MOST_TOLD)):
        raise InvalidArgument(INVALID, "The request breaks the rules.", violations=violations)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(
            raw.decode("utf-8"), object_pairs_hook=_Object, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise InvalidArgument("REQUEST_MALFORMED", "The body is no JSON.") from None


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and infinities are no JSON")


def _message(message: Descriptor, value: Any, at: str, depth: int) -> Iterator[FieldViolation]:
    if depth > MAX_DEPTH:
        yield FieldViolation(at, INVALID, "is nested too deep")
    elif message.full_name in _OPEN:
        yield from _open(value, at, depth)
    elif message.full_name in _PLAIN:
        yield from _plain(value, at)
    elif not isinstance(value, _Object):
        yield FieldViolation(at, INVALID, "is no object")
    else:
        yield from _members(message, value, at, depth)


def _members(message: Descriptor, value: _Object, at: str, depth: int) -> Iterator[FieldViolation]:
    known = {field.json_name: field for field in message.fields} | dict(message.fields_by_name)
    seen: set[str] = set()
    for name, inner in value:
        field = known.get(name)
        if field is None:
            yield FieldViolation(_join(at, _shown(name)), INVALID, "is not known here")
        elif field.name in seen:
            yield FieldViolation(_join(at, field.name), INVALID, "is there twice")
        else:
            seen.add(field.name)
            yield from _field(field, inner, _join(at, field.name), depth + 1)


def _field(field: FieldDescriptor, value: Any, at: str, depth: int) -> Iterator[FieldViolation]:
    if value is None:
        return
    if not field.is_repeated:
        yield from _single(field, value, at, depth)
        return
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        yield from _map(entry.fields_by_name["value"], value, at, depth)
    elif type(value) is not list:
        yield FieldViolation(at, INVALID, "is no array")
    else:
        for index, inner in enumerate(value):
            yield from _single(field, inner, f"{at}[{index}]", depth)


def _map(held: FieldDescriptor, value: Any, at: str, depth: int) -> Iterator[FieldViolation]:
    if not isinstance(value, _Object):
        yield FieldViolation(at, INVALID, "is no object")
        return
    if len({name for name, _ in value}) < len(value):
        yield FieldViolation(at, INVALID, "holds a key twice")
    for _, inner in value:
        # A map's key is the caller's data, like a value: not shown.
        yield from _single(held, inner, f"{at}[*]", depth)


def _single(field: FieldDescriptor, value: Any, at: str, depth: int) -> Iterator[FieldViolation]:
    if field.message_type is not None:
        yield from _message(field.message_type, value, at, depth)
    elif field.enum_type is not None:
        if not _names_value(field.enum_type, value):
            yield FieldViolation(at, INVALID, "is no value of its enum")
    else:
        yield from _plain(value, at)


def _names_value(enum: EnumDescriptor, value: Any) -> bool:
    if isinstance(value, str):
        return value in enum.values_by_name
    return type(value) is int and value in enum.values_by_number


def _plain(value: Any, at: str) -> Iterator[FieldViolation]:
    if isinstance(value, list):
        yield FieldViolation(at, INVALID, "is no single value")


def _open(value: Any, at: str, depth: int) -> Iterator[FieldViolation]:
    if depth > MAX_DEPTH:
        yield FieldViolation(at, INVALID, "is nested too deep")
    elif isinstance(value, _Object):
        if len({name for name, _ in value}) < len(value):
            yield FieldViolation(at, INVALID, "holds a key twice")
        for _, inner in value:
            yield from _open(inner, f"{at}[*]", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _open(inner, f"{at}[{index}]", depth + 1)


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _shown(name: str) -> str:
    return name if _NAME.fullmatch(name) else "[?]"
