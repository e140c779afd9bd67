"""The identity object against the identity schema.

JSON Schema with MOSIP's own keywords; of those, `validators` of type regex are checked.
Source: mosip/commons, kernel-idobjectvalidator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator

from services.processing.domain.packet import PacketRefusedError

SCHEMA_INVALID = "RPR-PVM-FAILED-002"
MANDATORY_MISSING = "RPR-PVM-FAILED-009"
# Java's patterns in a schema may take long on hostile text; nobody's field is longer.
_MAX_TEXT = 4096


class SchemaUnusableError(Exception):
    """The schema itself is wrong, which no packet can help."""


@dataclass(frozen=True, slots=True)
class IdSchema:
    """A schema that is ready for use; see compile_schema.

    rules: by field, its patterns.
    """

    validator: Validator = field(repr=False)
    rules: Mapping[str, Sequence[re.Pattern[str]]] = field(repr=False)


@lru_cache(maxsize=32)
def compile_schema(document: str) -> IdSchema:
    """Return a schema from its JSON text; one that was used of late is not made again.

    Raises:
        SchemaUnusableError: the schema cannot be used.
    """
    schema = json.loads(document)
    assert isinstance(schema, dict), "masterdata takes JSON Schemas only"
    try:
        kind = validators.validator_for(schema)
        kind.check_schema(schema)
    except (SchemaError, re.error) as error:
        raise SchemaUnusableError("the identity schema is no JSON Schema") from error
    properties = schema.get("properties", {}).get("identity", {}).get("properties", {})
    rules = {name: _patterns(each.get("validators") or []) for name, each in properties.items()}
    return IdSchema(kind(schema), rules)


def check_identity(identity: Mapping[str, Any], schema: IdSchema, mandatory: Sequence[str]) -> None:
    """Refuse an identity object that breaks the schema.

    Args:
        identity: with IDSchemaVersion.
        schema: whose property `identity` describes the object.
        mandatory: fields that must be there, `a|b` for either of two. Empty: those that the
            schema requires.

    Raises:
        PacketRefusedError: ID_SCHEMA_INVALID or ID_FIELD_MISSING.
        SchemaUnusableError: the schema cannot be used.
    """
    missing = False
    try:
        for error in schema.validator.iter_errors({"identity": dict(identity)}):
            if error.validator == "required" and list(error.absolute_path) == ["identity"]:
                missing = True
            else:
                raise PacketRefusedError("ID_SCHEMA_INVALID", SCHEMA_INVALID)
    except re.error as error:
        raise SchemaUnusableError("a pattern of the identity schema is none") from error
    if mandatory:
        missing = any(
            not any(_present(identity, name) for name in either.split("|")) for either in mandatory
        )
    if missing:
        raise PacketRefusedError("ID_FIELD_MISSING", MANDATORY_MISSING)
    for name, value in identity.items():
        for pattern in schema.rules.get(name, ()):
            _check_pattern(pattern, value)


def _present(identity: Mapping[str, Any], name: str) -> bool:
    return identity.get(name) not in (None, "", [], {})


def _patterns(rules: Sequence[Mapping[str, Any]]) -> list[re.Pattern[str]]:
    texts = [
        rule["validator"]
        for rule in rules
        if rule.get("type") == "regex" and isinstance(rule.get("validator"), str)
    ]
    try:
        return [re.compile(text) for text in texts]
    except re.error as error:
        raise SchemaUnusableError("a validator of the identity schema is no pattern") from error


def _check_pattern(pattern: re.Pattern[str], value: object) -> None:
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
