"""What an eKYC answer tells: the attributes that the policy allows, in its languages.

Source: mosip/id-authentication, KycServiceImpl; mosip-config, id-authentication-mapping.json.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from services.authentication.domain.demographics import MOSIP_STORED_NAMES
from services.authentication.domain.individual import Person, age_years

_SEPARATOR = ","
_AGE = "age"


def kyc_attributes(
    person: Person, allowed: Sequence[str], languages: Sequence[str], today: date
) -> dict[str, Any]:
    """Return the identity map: `name` for a plain attribute, `name_eng` for one with languages.

    Args:
        allowed: attribute names of the policy; those that the person lacks are left out.
        languages: of the policy; when the record has none of them, all of its are told.
    """
    spoken = _spoken(person, languages)
    told: dict[str, Any] = {}
    for name in allowed:
        if name == _AGE:
            age = age_years(person, today)
            if age is not None:
                told[_AGE] = str(age)
            continue
        told |= _attribute(name, person, spoken)
    return told


def _spoken(person: Person, languages: Sequence[str]) -> frozenset[str] | None:
    known = {
        str(item.get("language"))
        for value in person.demographics.values()
        if isinstance(value, list)
        for item in value
        if isinstance(item, dict)
    }
    wanted = known.intersection(languages)
    return frozenset(wanted) if wanted else None


def _attribute(name: str, person: Person, spoken: frozenset[str] | None) -> dict[str, Any]:
    sources = [
        person.demographics[source]
        for source in MOSIP_STORED_NAMES.get(name, (name,))
        if person.demographics.get(source) not in (None, "", [])
    ]
    plain = [str(value) for value in sources if not isinstance(value, list | dict)]
    by_language: dict[str, list[str]] = {}
    for value in sources:
        for item in value if isinstance(value, list) else ():
            language = str(item.get("language", ""))
            if spoken is None or language in spoken:
                by_language.setdefault(language, []).append(str(item.get("value", "")))
    if not by_language:
        return {name: _SEPARATOR.join(plain)} if plain else {}
    return {
        f"{name}_{language}": _SEPARATOR.join([*values, *plain])
        for language, values in by_language.items()
    }
