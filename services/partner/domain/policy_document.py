"""MOSIP's policy documents: what they must look like.

Source: mosip/mosip-config:auth-policy-schema.json and misp-policy-schema.json; the
combinations of factor and sub-type are those that mosip/id-authentication evaluates.
"""

from __future__ import annotations

from typing import Any

import jsonschema

from services.common.errors import InvalidArgument
from services.common.mosip_wire.strict_json import JsonLimits, JsonRefusedError, loads_object

AUTH_TYPES = ("otp", "otp-request", "demo", "bio", "kyc", "pwd", "kbt")
BIO_SUB_TYPES = ("FINGER", "IRIS", "FACE")

_LIMITS = JsonLimits(max_bytes=256 * 1024)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["authTokenType", "allowedAuthTypes", "allowedKycAttributes"],
    "properties": {
        "authTokenType": {"enum": ["random", "partner", "policy"]},
        "kycLanguages": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]{3}$"}},
        "allowedAuthTypes": {
            "type": "array",
            "maxItems": 32,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["authType", "mandatory"],
                "properties": {
                    "authType": {"enum": list(AUTH_TYPES)},
                    "authSubType": {"type": "string"},
                    "mandatory": {"type": "boolean"},
                },
                "if": {"properties": {"authType": {"const": "bio"}}},
                "then": {
                    "required": ["authSubType"],
                    "properties": {"authSubType": {"enum": list(BIO_SUB_TYPES)}},
                },
            },
        },
        "allowedKycAttributes": {
            "type": "array",
            "maxItems": 128,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["attributeName"],
                "properties": {"attributeName": {"type": "string", "minLength": 1}},
            },
        },
    },
}


def check(document: str) -> None:
    """Refuse a text that is not an authentication policy.

    Raises:
        InvalidArgument: POLICY_MALFORMED; the field says where in the document.
    """
    try:
        parsed = loads_object(document.encode(), _LIMITS)
    except (JsonRefusedError, UnicodeEncodeError) as error:
        raise _malformed("policy.document", "It is not one JSON object.") from error
    errors = jsonschema.Draft7Validator(SCHEMA).iter_errors(parsed)
    worst = jsonschema.exceptions.best_match(errors)
    if worst is not None:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in worst.path)
        raise _malformed(f"policy.document{path}", f"It breaks the rule {worst.validator}.")


def _malformed(field: str, message: str) -> InvalidArgument:
    return InvalidArgument("POLICY_MALFORMED", message, field=field)
