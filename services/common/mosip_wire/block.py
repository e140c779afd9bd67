"""The decrypted inner request: which factors, and what they say.

Source: mosip/id-authentication, RequestDTO and IdentityDTO.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.common.mosip_wire.biometric_block import SealedBiometric, parse_sealed_biometric
from services.common.mosip_wire.catalogue import IdaError
from services.common.mosip_wire.errors import WireError, invalid
from services.common.mosip_wire.reader import Reader
from services.common.mosip_wire.strict_json import (
    DEFAULT_JSON_LIMITS,
    JsonLimits,
    JsonRefusedError,
    dumps,
    loads_object,
)
from services.common.mosip_wire.times import TimeWindow, format_time, parse_request_time

PLAIN_ATTRIBUTES = frozenset({"age", "dob", "phoneNumber", "emailId", "postalCode"})
LANGUAGE_ATTRIBUTES = frozenset(
    {"name", "gender", "dobType", "fullAddress"}
    | {f"{stem}{n}" for stem in ("addressLine", "location") for n in (1, 2, 3)}
)
_ADDRESS_PARTS = frozenset(n for n in LANGUAGE_ATTRIBUTES if n[-1].isdigit())
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_MAX_BIOMETRICS = 16
_MAX_ATTRIBUTES = 64
_MAX_LANGUAGES = 16
_IGNORED = "metadata"


@dataclass(frozen=True, slots=True)
class LanguageValue:
    """A value in one language, ISO 639-2, for instance "eng"."""

    language: str
    value: str = field(repr=False)


AttributeValue = str | tuple[LanguageValue, ...]


@dataclass(frozen=True, slots=True)
class KeyBoundToken:
    """A signed token that proves possession of a key bound to the individual."""

    type: str
    token: str = field(repr=False)
    format: str


@dataclass(frozen=True, slots=True)
class RequestBlock:
    """The inner request; an empty value counts as absent, as SDKs send both.

    Attributes:
        timestamp: UTC.
        demographics: text or values by language, by attribute name.
        biometrics: sealed once more, in the order sent, which the hash chain follows.
    """

    timestamp: datetime
    otp: str | None = field(default=None, repr=False)
    demographics: Mapping[str, AttributeValue] = field(default_factory=dict, repr=False)
    biometrics: tuple[SealedBiometric, ...] = ()
    password: str | None = field(default=None, repr=False)
    key_bound_tokens: tuple[KeyBoundToken, ...] = ()

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors present, in the order in which MOSIP checks them."""
        present = {
            "otp": self.otp is not None,
            "demo": bool(self.demographics),
            "bio": bool(self.biometrics),
            "kbt": bool(self.key_bound_tokens),
            "pwd": self.password is not None,
        }
        return tuple(name for name, there in present.items() if there)


def parse_block(plaintext: bytes, limits: JsonLimits = DEFAULT_JSON_LIMITS) -> RequestBlock:
    """Read the decrypted request.

    Raises:
        WireError: IDA-MLC-006 or -009 with the path of the field, -008 without any factor,
            -013 for fullAddress together with its parts.
    """
    try:
        reader = Reader(loads_object(plaintext, limits), "request/")
    except JsonRefusedError:
        raise invalid("request") from None
    try:
        timestamp = parse_request_time(reader.text("timestamp", 64))
    except ValueError:
        raise invalid("request/timestamp") from None
    demographics = reader.child("demographics")
    block = RequestBlock(
        timestamp=timestamp,
        otp=reader.optional_text("otp", 32),
        demographics={} if demographics is None else _demographics(demographics),
        biometrics=tuple(
            parse_sealed_biometric(item, index)
            for index, item in enumerate(reader.array("biometrics", _MAX_BIOMETRICS))
        ),
        password=reader.optional_text("password", 256),
        key_bound_tokens=_tokens(reader),
    )
    if not block.factors:
        raise WireError(IdaError.NO_AUTHENTICATION_TYPE_SELECTED_IN_REQUEST)
    return block


def check_block(block: RequestBlock, now: datetime, window: TimeWindow) -> None:
    """Check the inner timestamp against the same window as the outer one.

    Raises:
        WireError: IDA-MLC-001.
    """
    window.check(block.timestamp, now, "request/timestamp")


def _demographics(reader: Reader) -> dict[str, AttributeValue]:
    if len(reader.document) > _MAX_ATTRIBUTES:
        raise invalid("request/demographics")
    attributes: dict[str, AttributeValue] = {}
    for name, value in reader.document.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise invalid("request/demographics")
        if name == _IGNORED or value is None or value in ("", []):
            continue
        attributes[name] = _attribute(reader, name, value)
    if "fullAddress" in attributes and _ADDRESS_PARTS & attributes.keys():
        raise WireError(IdaError.MISSING_AUTHTYPE, "fullAddress")
    return attributes


def _attribute(reader: Reader, name: str, value: Any) -> AttributeValue:
    path = reader.path + name
    if name == "age" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and name not in LANGUAGE_ATTRIBUTES:
        return reader.text(name)
    if not isinstance(value, list) or name in PLAIN_ATTRIBUTES or len(value) > _MAX_LANGUAGES:
        raise invalid(path)
    values: dict[str, LanguageValue] = {}
    for item in value:
        if not isinstance(item, dict):
            raise invalid(path)
        entry = Reader(item, f"{path}/")
        language = entry.text("language", 8, _LANGUAGE)
        if language in values:
            raise invalid(path)
        values[language] = LanguageValue(language, entry.text("value"))
    return tuple(values.values())


def _tokens(reader: Reader) -> tuple[KeyBoundToken, ...]:
    tokens = []
    for index, item in enumerate(reader.array("keyBindedTokens", 4)):
        path = f"{reader.path}keyBindedTokens/{index}/"
        if not isinstance(item, dict):
            raise invalid(path.rstrip("/"))
        entry = Reader(item, path)
        tokens.append(
            KeyBoundToken(
                entry.text("type", 32), entry.text("token", 16384), entry.text("format", 32)
            )
        )
    return tuple(tokens)


def build_block(
    at: datetime,
    *,
    otp: str | None = None,
    demographics: Mapping[str, AttributeValue] | None = None,
    biometrics: Sequence[Mapping[str, str]] = (),
) -> bytes:
    """Return the inner request for seal_request; biometrics as seal_biometric returns them."""
    document: dict[str, Any] = {"timestamp": format_time(at)}
    if otp is not None:
        document["otp"] = otp
    if demographics:
        document["demographics"] = {
            name: value
            if isinstance(value, str)
            else [{"language": item.language, "value": item.value} for item in value]
            for name, value in demographics.items()
        }
    if biometrics:
        document["biometrics"] = [dict(item) for item in biometrics]
    return dumps(document)
