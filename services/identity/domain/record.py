"""What is known of an individual."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

# ISO 639-2/T.
_LANGUAGE = re.compile(r"[a-z]{3}")


class Modality(Enum):
    """The part of the body that a template is of; values as on the wire."""

    FINGER = 1
    IRIS = 2
    FACE = 3


@dataclass(frozen=True, slots=True)
class Template:
    """The features taken from one sample; data is never shown."""

    modality: Modality
    position: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """An individual's record.

    Attributes:
        demographics: the identity object of ID.json, as JSON text.
        schema_version: of the identity schema.
        templates: of the individual's biometrics.
    """

    demographics: str = field(repr=False)
    schema_version: float = 0.0
    templates: tuple[Template, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ContactFields:
    """Where the identity schema of the country keeps what a message needs.

    languages: ISO 639-2/T, in order of preference where a field has several.
    """

    name: str = "fullName"
    email: str = "email"
    phone: str = "phone"
    languages: tuple[str, ...] = ("eng",)


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to write to, and in which language; email and phone are empty where unknown."""

    name: str = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)
    language: str = "eng"


def is_identity_object(demographics: str) -> bool:
    """Return whether the text is one JSON object."""
    try:
        return isinstance(json.loads(demographics), dict)
    except (ValueError, RecursionError):
        return False


def contact_of(record: Record, fields: ContactFields) -> Contact:
    """Return the contact in a record, in the first language of preference that the name has."""
    demographics: dict[str, Any] = json.loads(record.demographics)
    by_language = _by_language(demographics.get(fields.name))
    language = next(
        (wanted for wanted in fields.languages if wanted in by_language),
        next(iter(by_language), fields.languages[0] if fields.languages else "eng"),
    )
    return Contact(
        name=by_language.get(language, ""),
        email=_single(demographics.get(fields.email), fields.languages),
        phone=_single(demographics.get(fields.phone), fields.languages),
        language=language if _LANGUAGE.fullmatch(language) else "eng",
    )


def _by_language(value: object) -> dict[str, str]:
    """Return the texts of MOSIP's simpleType, an array of language and value; or a plain text."""
    if isinstance(value, str):
        return {"": value} if value else {}
    texts: dict[str, str] = {}
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and isinstance(item.get("value"), str) and item["value"]:
                texts.setdefault(str(item.get("language", "")), item["value"])
    return texts


def _single(value: object, languages: Sequence[str]) -> str:
    texts = _by_language(value)
    chosen = next((texts[wanted] for wanted in languages if wanted in texts), None)
    return chosen if chosen is not None else next(iter(texts.values()), "")
