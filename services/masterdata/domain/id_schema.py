"""Identity schemas: JSON Schema with MOSIP's keywords.

Source: docs.mosip.io, ID schema; mosip/commons, kernel-idobjectvalidator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import jsonschema

from services.common.errors import InvalidArgument
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object

MAX_DOCUMENT_BYTES = 256 * 1024
CATEGORIES = frozenset({"none", "pvt", "kyc", "evidence", "optional"})
_LIMITS = JsonLimits(max_bytes=MAX_DOCUMENT_BYTES)


@dataclass(frozen=True)
class IdSchema:
    """A version of the schema, and from when packets may use it."""

    version: float
    document: str = field(repr=False)
    effective_at: datetime | None = None


def check_document(text: str) -> Mapping[str, Any]:
    """Return the parsed schema.

    Raises:
        InvalidArgument: SCHEMA_MALFORMED, not JSON, no JSON Schema (draft 7), without
            properties.identity, or with a field whose fieldCategory MOSIP does not know.
    """
    try:
        document = loads_object(text.encode(), _LIMITS)
    except (JsonRefusedError, UnicodeEncodeError) as error:
        raise _malformed("It is not one JSON object within the limits.") from error
    try:
        jsonschema.Draft7Validator.check_schema(document)
    except jsonschema.SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        raise _malformed(f"It is not a JSON Schema, at {where or 'its root'}.") from error
    fields = _identity_fields(document)
    for name, rules in fields.items():
        category = rules.get("fieldCategory", "none") if isinstance(rules, Mapping) else None
        if category not in CATEGORIES:
            raise _malformed(f"The field {name[:64]} has no known fieldCategory.")
    return document


def _identity_fields(document: Mapping[str, Any]) -> Mapping[str, Any]:
    node: Any = document
    for key in ("properties", "identity", "properties"):
        node = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or "IDSchemaVersion" not in node:
        raise _malformed("It lacks properties.identity.properties with IDSchemaVersion.")
    return node


def _malformed(why: str) -> InvalidArgument:
    return InvalidArgument("SCHEMA_MALFORMED", why, field="schema.document")
