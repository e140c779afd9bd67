"""What two registrations of one person have in common on paper: name, date of birth, gender.

Source: mosip/registration, PacketInfoMapper: per language, the name's parts joined, upper case.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class DemographicFields:
    """Where the identity schema of the country keeps them."""

    name: tuple[str, ...] = ("fullName",)
    date_of_birth: str = "dateOfBirth"
    gender: str = "gender"


def lookup_inputs(identity: Mapping[str, Any], fields: DemographicFields) -> dict[str, bytes]:
    """Return, by language, what is to be hashed under a key; empty without name or birth date."""
    birth = identity.get(fields.date_of_birth)
    if not isinstance(birth, str) or not birth.strip():
        return {}
    gender = _by_language(identity.get(fields.gender))
    parts = [_by_language(identity.get(name)) for name in fields.name]
    inputs = {}
    for language in sorted({language for part in parts for language in part}):
        name = _normal("".join(part.get(language, "") for part in parts))
        if name:
            said = gender.get(language, next(iter(gender.values()), ""))
            values = (language, name, birth.strip(), _normal(said))
            # Lengths keep ("ab", "c") and ("a", "bc") apart.
            inputs[language] = b"".join(
                len(raw).to_bytes(4, "big") + raw for raw in (value.encode() for value in values)
            )
    return inputs


def age_years(identity: Mapping[str, Any], fields: DemographicFields, on: date) -> int | None:
    """Return the age in full years, None where the date of birth is not readable."""
    try:
        birth = datetime.strptime(str(identity.get(fields.date_of_birth)), "%Y/%m/%d").date()
    except ValueError:
        return None
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def _by_language(value: object) -> dict[str, str]:
    if isinstance(value, str):
        return {"": value}
    texts: dict[str, str] = {}
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and isinstance(item.get("value"), str):
                texts.setdefault(str(item.get("language", "")), item["value"])
    return texts


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).upper().split())
