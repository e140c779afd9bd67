"""The identity object against the identity schema.

JSON Schema with MOSIP's own keywords; of those, `validators` of type regex are checked.
Source: mosip/commons, kernel-idobjectvalidator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import SchemaError

from services.processing.domain.packet import PacketRefusedError

SCHEMA_INVALID = "RPR-PVM-FAILED-002"
MANDATORY_MISSING = "RPR-PVM-FAILED-009"
# Java's patterns in a schema may take long on hostile text; nobody's field is longer.
_MAX_TEXT = 4096


class SchemaUnusableError(Exception):
    """The schema itself is wrong, which no packet can help."""


def check_identity(
    identity: Mapping[str, Any], schema: Mapping[str, Any], mandatory: Sequence[str]
) -> None:
    """Refuse an identity object that breaks the schema.

    Args:
        identity: with IDSchemaVersion.
        schema: the document, whose property `identity` describes the object.
        mandatory: fields that must be there, `a|b` for either of two. Empty: those that the
            schema requires.

    Raises:
        PacketRefusedError: ID_SCHEMA_INVALID or ID_FIELD_MISSING.
        SchemaUnusableError: the schema cannot be used.
    """
    missing = False
    try:
        kind = validators.validator_for(schema)
        kind.check_schema(dict(schema))
        for error in kind(dict(schema)).iter_errors({"identity": dict(identity)}):
            if error.validator == "required" and list(error.absolute_path) == ["identity"]:
                missing = True
            else:
                raise PacketRefusedError("ID_SCHEMA_INVALID", SCHEMA_INVALID)
    except (SchemaError, re.error) as error:
        raise SchemaUnusableError("the identity schema is no JSON Schema") from error
    if mandatory:
        missing = any(
            not any(_present(identity, name) for name in either.split("|")) for either in mandatory
        )
    if missing:
        raise PacketRefusedError("ID_FIELD_MISSING", MANDATORY_MISSING)
    properties = schema.get("properties", {}).get("identity", {}).get("properties", {})
    for name, value in identity.items():
        for rule in properties.get(name, {}).get("validators") or []:
            _check_rule(rule, value)


def _present(identity: Mapping[str, Any], name: str) -> bool:
    return identity.get(name) not in (None, "", [], {})


def _check_rule(rule: Mapping[str, Any], value: object) -> None:
    if rule.get("type") != "regex" or not isinstance(rule.get("validator"), str):
        return
    try:
        pattern = re.compile(rule["validator"])
    except re.error as error:
        raise SchemaUnusableError("a validator of the identity schema is no pattern") from error
    for text in _texts(value):
        if len(text) > _MAX_TEXT or not pattern.fullmatch(text):
            raise PacketRefusedError("ID_SCHEMA_INVALID", SCHEMA_INVALID)


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [
            item["value"]
            for item in value
            if isinstance(item, dict) and isinstance(item.get("value"), str)
        ]
    return []
