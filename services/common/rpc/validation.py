"""What a request must keep before a servicer sees it.

The rules are protovalidate's, in the proto files. Beyond them: an enum number that no value
has is refused (proto3 lets it through), and where asked for, so are unknown fields. Of JSON
nothing unknown arrives here: the edge's transcoder drops it, so json_body looks before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from services.common.errors import FieldViolation, InvalidArgument

INVALID = "REQUEST_INVALID"
# A hostile message can be wrong very often. To look through unknown fields one by one costs a
# microsecond or two for each; that there are any shows at the speed of memory.
MOST_TOLD = 16
_MOST_SEARCHED = 4096


def parse(deserialize: Callable[[bytes], Message], raw: bytes) -> Message:
    """Return the message in raw.

    Raises:
        InvalidArgument: REQUEST_MALFORMED, it is not one.
    """
    try:
        return deserialize(raw)
    except DecodeError:
        raise InvalidArgument(
            "REQUEST_MALFORMED", "The request is no message of the expected type."
        ) from None


def check(request: Message, *, refuse_unknown_fields: bool = False) -> None:
    """Refuse a request that breaks a rule of its proto.

    Raises:
        InvalidArgument: REQUEST_INVALID with a violation for each fault, never with a value.
    """
    violations = []
    if _has_rules(request.DESCRIPTOR):
        violations = [_told(found) for found in protovalidate.collect_violations(request)]
    surplus = _unknown_bytes(request) if refuse_unknown_fields else 0
    if surplus > _MOST_SEARCHED:
        violations.append(FieldViolation("", INVALID, "holds much that is not known here"))
    elif surplus or _reaches_enum(request.DESCRIPTOR):
        violations += islice(_walk(request, "", bool(surplus)), MOST_TOLD)
    if violations:
        raise InvalidArgument(INVALID, "The request breaks the rules.", violations=violations)


def _told(violation: protovalidate.Violation) -> FieldViolation:
    proto = violation.proto
    rule = proto.rule_id
    elements = proto.rule.elements if proto.rule is not None else []
    # The text of a standard rule names the rule's constants only; a custom rule may say anything.
    custom = not elements or any(element.field_name in _CUSTOM for element in elements)
    description = f"breaks the rule {rule}" if custom or not proto.message else proto.message
    return FieldViolation(_path(proto.field), INVALID, description)


_CUSTOM = frozenset({"cel", "cel_expression"})


def _path(field: Any) -> str:
    if field is None:
        return ""
    parts = []
    for element in field.elements:
        subscript = element.subscript
        # A map's key is the caller's data, like a value: not shown.
        at = "" if subscript is None else "[*]"
        if subscript is not None and subscript.field == "index":
            at = f"[{subscript.value}]"
        parts.append(f"{element.field_name}{at}")
    return ".".join(parts)


def _reached(descriptor: Descriptor) -> Iterator[Descriptor]:
    """Yield every message type that a message of this type can hold, itself first."""
    seen: set[str] = set()
    pending = [descriptor]
    while pending:
        present = pending.pop()
        if present.full_name not in seen:
            seen.add(present.full_name)
            yield present
            pending += [field.message_type for field in present.fields if field.message_type]


@cache
def _reaches_enum(descriptor: Descriptor) -> bool:
    return any(
        field.enum_type is not None for held in _reached(descriptor) for field in held.fields
    )


@cache
def _has_rules(descriptor: Descriptor) -> bool:
    return any(
        option.full_name.startswith("buf.validate.")
        for held in _reached(descriptor)
        for described in (held, *held.fields, *held.oneofs)
        for option, _ in described.GetOptions().ListFields()
    )


def _unknown_bytes(message: Message) -> int:
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return message.ByteSize() - known.ByteSize()


def _walk(message: Message, at: str, unknown_too: bool) -> Iterator[FieldViolation]:
    if unknown_too:
        unknown = UnknownFieldSet(message)
        for number in sorted({unknown[index].field_number for index in range(len(unknown))}):
            yield FieldViolation(f"{at}{number}", INVALID, "is not known here")
    for field, value in message.ListFields():
        held = _value_field(field)
        if held.enum_type is not None:
            known = held.enum_type.values_by_number
            for name, number in _elements(field, value):
                if number not in known:
                    yield FieldViolation(f"{at}{name}", INVALID, "is no value of its enum")
        elif held.message_type is not None and (unknown_too or _reaches_enum(held.message_type)):
            for name, inner in _elements(field, value):
                yield from _walk(inner, f"{at}{name}.", unknown_too)


def _value_field(field: FieldDescriptor) -> FieldDescriptor:
    """Return the field that says what is held: a map's is that of its values."""
    entry = field.message_type
    if entry is not None and entry.GetOptions().map_entry:
        return entry.fields_by_name["value"]
    return field


def _elements(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Any]]:
    if not field.is_repeated:
        yield field.name, value
    elif _value_field(field) is not field:
        # A map's key is the caller's data, like a value: not shown.
        for inner in value.values():
            yield f"{field.name}[*]", inner
    else:
        for index, inner in enumerate(value):
            yield f"{field.name}[{index}]", inner
