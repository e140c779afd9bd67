"""Whether what a partner says of a person is what is stored: normalised, exact, all or nothing.

MOSIP's API reaches one strategy only, EXACT; so does this. Two rules are narrower than its default
configuration: titles and words are replaced as whole words, where MOSIP's patterns also hit
inside a word ("Nolan" loses its "no"), and a text with nothing left never matches.
Source: mosip/id-authentication, *MatchingStrategy, DemoMatchType; mosip/demosdk, Client_V_1_0.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from services.common.mosip_wire import AttributeValue, IdaError, LanguageValue, WireError

MAX_AGE = 150
DOB_TYPES = frozenset({"V", "D", "A"})
_DATE = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})")
_ANY = "any"


@dataclass(frozen=True, slots=True)
class Replacement:
    """One normalisation rule: every hit of pattern becomes text."""

    pattern: re.Pattern[str]
    text: str = ""

    @classmethod
    def parse(cls, line: str, separator: str = "=") -> "Replacement":
        """Read `pattern=replacement`; without the separator, hits are removed.

        Raises:
            ValueError: the pattern does not compile.
        """
        pattern, _, text = line.partition(separator)
        try:
            return cls(re.compile(pattern, re.IGNORECASE), text)
        except re.error as error:
            raise ValueError("a normalisation pattern does not compile") from error


RuleTable = Mapping[str, tuple[Replacement, ...]]


def _words(**replacements: str) -> tuple[Replacement, ...]:
    return tuple(Replacement.parse(rf"\b{word}\b={text}") for word, text in replacements.items())


_ENGLISH_ADDRESS = (
    Replacement.parse(r"\b[csdwh]/o\b"),
    Replacement.parse(r"\b(mrs?|dr)\b\.?"),
    Replacement.parse(r"\bno\b\.?"),
    *_words(apartment="apt", street="st", road="rd", main="mn", cross="crs"),
    *_words(opposite="opp", market="mkt"),
    Replacement.parse(r"\b([0-9]+)(st|nd|rd|th)\b=\1"),
)
_COMMON = (
    # Dots vanish, so that "J.R." is "JR"; other punctuation parts words.
    Replacement.parse(r"\."),
    Replacement.parse(r"[,\-*()\[\]`'/#\"]= "),
    Replacement.parse(r"\s+= "),
)


@dataclass(frozen=True, slots=True)
class NormalisationRules:
    """Rules by language, "any" for all; applied kind first, common last, language before any.

    Attributes:
        titles: by language; removed from names as whole words, longest first.
        name, address, common: replacement rules by language.
    """

    titles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name: RuleTable = field(default_factory=dict)
    address: RuleTable = field(default_factory=lambda: {"eng": _ENGLISH_ADDRESS})
    common: RuleTable = field(default_factory=lambda: {_ANY: _COMMON})


def normalise_name(text: str, language: str, rules: NormalisationRules) -> str:
    """Return a name without titles and with its rules applied."""
    for title in sorted(rules.titles.get(language, ()), key=len, reverse=True):
        bare = re.escape(title.rstrip("."))
        text = re.sub(rf"(?<!\w){bare}(?!\w)\.?", "", text, flags=re.IGNORECASE)
    return _apply(text, language, rules.name, rules.common)


def normalise_address(text: str, language: str, rules: NormalisationRules) -> str:
    """Return an address, or a part of one, with its rules applied."""
    return _apply(text, language, rules.address, rules.common)


def _apply(text: str, language: str, *tables: RuleTable) -> str:
    text = unicodedata.normalize("NFC", text)
    for table in tables:
        for key in dict.fromkeys((language, _ANY)):
            for rule in table.get(key, ()):
                text = rule.pattern.sub(rule.text, text)
    return text.strip()


def same_tokens(requested: str, stored: str) -> bool:
    """Compare word by word: as many words, and each stored one among the requested.

    Case and order do not count; how often a word is repeated is not compared, as in MOSIP. Two
    texts without a word are not the same.
    """
    left, right = _tokens(requested), _tokens(stored)
    return bool(right) and len(left) == len(right) and set(right) <= set(left)


def _tokens(text: str) -> list[str]:
    return unicodedata.normalize("NFC", text).casefold().split()


def parse_date(text: str) -> date:
    """Read `yyyy/MM/dd`.

    Raises:
        ValueError: another form, or no such day.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError("not a date of the form yyyy/MM/dd")
    return date(int(found[1]), int(found[2]), int(found[3]))


def age_on(day: date, born: date) -> int:
    """Return full years from born to day; who was born on 29 February ages on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


class Finding(Enum):
    """Why an attribute does not match."""

    MISMATCH = "MISMATCH"
    NOT_STORED = "NOT_STORED"
    LANGUAGE_UNSUPPORTED = "LANGUAGE_UNSUPPORTED"
    REQUEST_INVALID = "REQUEST_INVALID"
    STORED_INVALID = "STORED_INVALID"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attribute that did not match, in which language, and why."""

    finding: Finding
    attribute: str
    language: str | None = None

    def to_wire(self) -> WireError:
        """Return the item of the response's errors."""
        if self.finding is Finding.REQUEST_INVALID:
            return WireError(
                _WITHOUT_LANGUAGE[self.finding], f"request/demographics/{self.attribute}"
            )
        if self.language is None:
            return WireError(_WITHOUT_LANGUAGE[self.finding], self.attribute)
        if self.finding is Finding.LANGUAGE_UNSUPPORTED:
            return WireError(_WITH_LANGUAGE[self.finding], self.language)
        return WireError(_WITH_LANGUAGE[self.finding], self.attribute, self.language)


_WITHOUT_LANGUAGE = {
    Finding.MISMATCH: IdaError.DEMO_DATA_MISMATCH,
    Finding.NOT_STORED: IdaError.DEMO_MISSING,
    Finding.LANGUAGE_UNSUPPORTED: IdaError.UNSUPPORTED_LANGUAGE,
    Finding.REQUEST_INVALID: IdaError.INVALID_INPUT_PARAMETER,
    Finding.STORED_INVALID: IdaError.DATA_VALIDATION_FAILED,
}
_WITH_LANGUAGE = _WITHOUT_LANGUAGE | {
    Finding.MISMATCH: IdaError.DEMOGRAPHIC_DATA_MISMATCH_LANG,
    Finding.NOT_STORED: IdaError.DEMO_MISSING_LANG,
}


@dataclass(frozen=True, slots=True)
class DemographicRules:
    """How requests' attributes relate to stored ones.

    Attributes:
        stored_names: the stored attributes behind a requested one, joined in this order; an
            attribute that is not here is looked up by its own name.
        languages: codes that requests may use.
        normalisation: of names and addresses.
        address_separator: between the parts of fullAddress.
    """

    stored_names: Mapping[str, tuple[str, ...]]
    languages: frozenset[str]
    normalisation: NormalisationRules = field(default_factory=NormalisationRules)
    address_separator: str = ","


MOSIP_STORED_NAMES: Mapping[str, tuple[str, ...]] = {
    "name": ("fullName",),
    "dob": ("dateOfBirth",),
    "age": ("dateOfBirth",),
    "phoneNumber": ("phone",),
    "emailId": ("email",),
    "location1": ("city",),
    "location2": ("region",),
    "location3": ("province",),
    "location4": ("zone",),
    "fullAddress": (
        "addressLine1",
        "addressLine2",
        "addressLine3",
        "city",
        "region",
        "province",
        "postalCode",
    ),
}

# (requested, stored, language) -> same
_Comparison = Callable[[str, str, str], bool]
_ADDRESSES = frozenset({"fullAddress", "postalCode"}) | {
    f"{stem}{n}" for stem in ("addressLine", "location") for n in (1, 2, 3, 4)
}
_TOKEN_ATTRIBUTES = frozenset({"gender", "phoneNumber", "emailId", "dobType"})


def match_demographics(
    requested: Mapping[str, AttributeValue],
    stored: Mapping[str, AttributeValue],
    today: date,
    rules: DemographicRules,
) -> tuple[Refusal, ...]:
    """Compare every requested attribute with the stored ones; empty means that all match.

    Args:
        requested: as in RequestBlock.demographics; not empty.
        stored: by the names of the identity schema.
        today: the day on which ages are computed.
        rules: names, languages, normalisation.
    """
    assert requested
    refusals: list[Refusal] = []
    for name, value in requested.items():
        if name in ("dob", "age"):
            refusals += _match_birth(name, value, stored, today, rules)
        elif isinstance(value, str):
            refusals += _match_text(name, value, stored, rules)
        else:
            for item in value:
                refusals += _match_language(name, item, stored, rules)
    return tuple(refusals)


def _match_birth(
    name: str,
    value: AttributeValue,
    stored: Mapping[str, AttributeValue],
    today: date,
    rules: DemographicRules,
) -> list[Refusal]:
    text = _stored_text(name, None, stored, rules)
    if text is None:
        return [Refusal(Finding.NOT_STORED, name)]
    if not isinstance(value, str):
        return [Refusal(Finding.REQUEST_INVALID, name)]
    try:
        born = parse_date(text)
    except ValueError:
        return [Refusal(Finding.STORED_INVALID, name)]
    if name == "dob":
        try:
            same = parse_date(value) == born
        except ValueError:
            return [Refusal(Finding.REQUEST_INVALID, name)]
    else:
        if not (value.isascii() and value.isdigit() and 0 < int(value[:4]) <= MAX_AGE):
            return [Refusal(Finding.REQUEST_INVALID, name)]
        # MOSIP's EXACT for age: at least that old.
        same = int(value) <= age_on(today, born)
    return [] if same else [Refusal(Finding.MISMATCH, name)]


def _match_text(
    name: str, value: str, stored: Mapping[str, AttributeValue], rules: DemographicRules
) -> list[Refusal]:
    text = _stored_text(name, None, stored, rules)
    if text is None:
        return [Refusal(Finding.NOT_STORED, name)]
    same = _comparison(name, rules)(value, text, _ANY)
    return [] if same else [Refusal(Finding.MISMATCH, name)]


def _match_language(
    name: str, item: LanguageValue, stored: Mapping[str, AttributeValue], rules: DemographicRules
) -> list[Refusal]:
    language = item.language
    if language not in rules.languages:
        return [Refusal(Finding.LANGUAGE_UNSUPPORTED, name, language)]
    if name == "dobType" and item.value not in DOB_TYPES:
        return [Refusal(Finding.REQUEST_INVALID, name)]
    text = _stored_text(name, language, stored, rules)
    if text is None:
        return [Refusal(Finding.NOT_STORED, name, language)]
    same = _comparison(name, rules)(item.value, text, language)
    return [] if same else [Refusal(Finding.MISMATCH, name, language)]


def _stored_text(
    name: str,
    language: str | None,
    stored: Mapping[str, AttributeValue],
    rules: DemographicRules,
) -> str | None:
    """Return the stored text in a language, None where nothing is stored in it.

    A value stored without language stands for every language; one stored by language is not
    found without one.
    """
    texts = []
    for stored_name in rules.stored_names.get(name, (name,)):
        value = stored.get(stored_name)
        if isinstance(value, str):
            texts.append(value)
        elif value is not None:
            texts += [item.value for item in value if item.language == language]
    separator = rules.address_separator if name == "fullAddress" else " "
    return separator.join(texts) if any(texts) else None


def _comparison(name: str, rules: DemographicRules) -> _Comparison:
    normalisation = rules.normalisation
    if name == "name":
        return lambda a, b, language: same_tokens(
            normalise_name(a, language, normalisation), normalise_name(b, language, normalisation)
        )
    if name in _ADDRESSES:
        return lambda a, b, language: same_tokens(
            normalise_address(a, language, normalisation),
            normalise_address(b, language, normalisation),
        )
    if name in _TOKEN_ATTRIBUTES:
        return lambda a, b, _: same_tokens(a, b)
    return lambda a, b, _: a == b
