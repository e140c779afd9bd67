"""What a partner says of a person, against what is stored."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.authentication.domain.demographics import (
    MOSIP_STORED_NAMES,
    DemographicRules,
    Finding,
    NormalisationRules,
    Refusal,
    Replacement,
    age_on,
    match_demographics,
    normalise_address,
    normalise_name,
    parse_date,
    same_tokens,
)
from services.common.mosip_wire import AttributeValue, LanguageValue

TODAY = date(2026, 3, 1)
NORMALISATION = NormalisationRules(titles={"eng": ("Mr", "Mrs.", "Dr")})
RULES = DemographicRules(MOSIP_STORED_NAMES, frozenset({"eng", "fra", "ara"}), NORMALISATION)


def said(**values: str) -> tuple[LanguageValue, ...]:
    return tuple(LanguageValue(language, value) for language, value in values.items())


STORED: dict[str, AttributeValue] = {
    "fullName": said(eng="Dr. Jane Mary Nolan", fra="Jeanne Nolan"),
    "dateOfBirth": "1990/02/28",
    "gender": said(eng="Female", fra="Femme"),
    "phone": "+1 555 0100",
    "email": "Jane@Example.org",
    "addressLine1": said(eng="No. 12, Main Street"),
    "city": said(eng="Kenitra"),
    "region": said(eng="Rabat"),
    "postalCode": "10114",
    "dobType": said(eng="V"),
    "occupation": said(eng="Baker"),
    "nationalNumber": "A-1",
}


def findings(requested: dict[str, AttributeValue]) -> tuple[Refusal, ...]:
    return match_demographics(requested, STORED, TODAY, RULES)


@pytest.mark.parametrize(
    "requested",
    [
        {"name": said(eng="jane mary nolan")},
        {"name": said(eng="Nolan, Jane Mary")},
        {"name": said(eng="Mrs. Jane Mary Nolan")},
        {"name": said(eng="Jane Mary Nolan", fra="NOLAN Jeanne")},
        {"dob": "1990/02/28"},
        {"age": "36"},
        {"age": "18"},
        {"gender": said(eng="female", fra="FEMME")},
        {"phoneNumber": "+1 555 0100"},
        {"emailId": "jane@example.ORG"},
        {"addressLine1": said(eng="12 mn st")},
        {"location1": said(eng="KENITRA")},
        {"postalCode": "10114"},
        {"fullAddress": said(eng="10114 12 main street, Kenitra Rabat")},
        {"dobType": said(eng="V")},
        {"occupation": said(eng="Baker")},
        {"nationalNumber": "A-1"},
        {"nationalNumber": said(eng="A-1")},
    ],
)
def test_what_is_true_matches(requested: dict[str, AttributeValue]) -> None:
    assert findings(requested) == ()


@pytest.mark.parametrize(
    ("requested", "attribute", "language"),
    [
        ({"name": said(eng="Jane Nolan")}, "name", "eng"),
        ({"name": said(eng="Jane Mary Ann Nolan")}, "name", "eng"),
        ({"name": said(eng="Jane Mary Lan")}, "name", "eng"),
        ({"name": said(eng="Dr.")}, "name", "eng"),
        ({"name": said(fra="Jane Nolan")}, "name", "fra"),
        ({"dob": "1990/02/27"}, "dob", None),
        ({"age": "37"}, "age", None),
        ({"gender": said(eng="male")}, "gender", "eng"),
        ({"phoneNumber": "+1 555 0101"}, "phoneNumber", None),
        ({"emailId": "jane@example.com"}, "emailId", None),
        ({"location2": said(eng="Kenitra")}, "location2", "eng"),
        ({"occupation": said(eng="baker")}, "occupation", "eng"),
        ({"nationalNumber": "A1"}, "nationalNumber", None),
    ],
)
def test_what_is_not_true_does_not_match(
    requested: dict[str, AttributeValue], attribute: str, language: str | None
) -> None:
    assert findings(requested) == (Refusal(Finding.MISMATCH, attribute, language),)


@pytest.mark.parametrize(
    ("requested", "refusal"),
    [
        ({"dob": "28/02/1990"}, Refusal(Finding.REQUEST_INVALID, "dob")),
        ({"dob": "1990/02/30"}, Refusal(Finding.REQUEST_INVALID, "dob")),
        ({"age": "0"}, Refusal(Finding.REQUEST_INVALID, "age")),
        ({"age": "-1"}, Refusal(Finding.REQUEST_INVALID, "age")),
        ({"age": "9" * 50}, Refusal(Finding.REQUEST_INVALID, "age")),
        ({"age": "٣٦"}, Refusal(Finding.REQUEST_INVALID, "age")),
        ({"dobType": said(eng="X")}, Refusal(Finding.REQUEST_INVALID, "dobType")),
        ({"name": said(deu="Jane")}, Refusal(Finding.LANGUAGE_UNSUPPORTED, "name", "deu")),
        ({"name": said(ara="Jane")}, Refusal(Finding.NOT_STORED, "name", "ara")),
        ({"location3": said(eng="x")}, Refusal(Finding.NOT_STORED, "location3", "eng")),
        ({"shoeSize": "44"}, Refusal(Finding.NOT_STORED, "shoeSize")),
    ],
)
def test_what_cannot_be_compared_says_why(
    requested: dict[str, AttributeValue], refusal: Refusal
) -> None:
    assert findings(requested) == (refusal,)


def test_a_stored_date_that_is_none_is_not_the_partner_s_fault() -> None:
    refusals = match_demographics({"age": "3"}, {"dateOfBirth": "unknown"}, TODAY, RULES)
    assert refusals == (Refusal(Finding.STORED_INVALID, "age"),)


def test_every_attribute_must_match_and_each_failure_is_told() -> None:
    refusals = findings({"dob": "1990/02/28", "age": "99", "name": said(eng="x", fra="y")})
    assert [(r.attribute, r.language) for r in refusals] == [
        ("age", None),
        ("name", "eng"),
        ("name", "fra"),
    ]


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        (
            Refusal(Finding.MISMATCH, "name", "eng"),
            "IDA-DEA-001",
            "Demographic data name in eng did not match",
        ),
        (Refusal(Finding.MISMATCH, "dob"), "IDA-DEA-001", "Demographic data dob did not match"),
        (
            Refusal(Finding.NOT_STORED, "name", "ara"),
            "IDA-DEA-003",
            "Demographic data name in ara not available in database",
        ),
        (
            Refusal(Finding.NOT_STORED, "age"),
            "IDA-DEA-003",
            "Demographic data age not available in database",
        ),
        (
            Refusal(Finding.LANGUAGE_UNSUPPORTED, "name", "deu"),
            "IDA-DEA-002",
            "Unsupported Language Code - deu",
        ),
        (
            Refusal(Finding.REQUEST_INVALID, "dob"),
            "IDA-MLC-009",
            "Invalid Input Parameter - request/demographics/dob",
        ),
        (Refusal(Finding.STORED_INVALID, "age"), "IDA-IDV-001", "Input Data Validation Failed"),
    ],
)
def test_each_refusal_has_mosip_s_code(refusal: Refusal, code: str, message: str) -> None:
    error = refusal.to_wire()
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    ("requested", "stored", "same"),
    [
        ("a b", "b a", True),
        ("A  b", "a B", True),
        ("a", "a b", False),
        ("a b", "a", False),
        ("a a b", "a b b", True),
        ("a a a", "a b b", False),
        ("", "", False),
        (" ", " ", False),
        ("Åsa", "A\u030asa", True),
        ("STRASSE", "straße", True),
    ],
)
def test_words_are_compared_as_mosip_does(requested: str, stored: str, same: bool) -> None:
    assert same_tokens(requested, stored) == same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. John", "John"),
        ("MR John", "John"),
        ("Mrs. Jane", "Jane"),
        ("Amrit Drake", "Amrit Drake"),
        ("J.R. O'Neil-Smith", "JR O Neil Smith"),
    ],
)
def test_titles_leave_names_and_words_that_contain_them_stay(text: str, expected: str) -> None:
    assert normalise_name(text, "eng", NORMALISATION) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apartment 5, Church Road", "apt 5 Church rd"),
        ("C/O Mr. Smith, 2nd Cross", "Smith 2 crs"),
        ("No. 7 Nolan Street", "7 Nolan st"),
        ("11th Market, opposite Broadway", "11 mkt opp Broadway"),
    ],
)
def test_addresses_are_shortened_by_whole_words(text: str, expected: str) -> None:
    assert normalise_address(text, "eng", NORMALISATION) == expected


def test_rules_of_another_language_do_not_apply() -> None:
    assert normalise_address("Rue street", "fra", NORMALISATION) == "Rue street"


def test_rules_are_read_as_mosip_configures_them() -> None:
    rules = NormalisationRules(
        name={"eng": (Replacement.parse("ph=f"),)}, common={"any": (Replacement.parse("z"),)}
    )
    assert normalise_name("Phillipz", "eng", rules) == "fillip"
    with pytest.raises(ValueError, match="compile"):
        Replacement.parse("(")


@pytest.mark.parametrize(
    ("day", "age"),
    [(date(2026, 2, 27), 21), (date(2026, 2, 28), 21), (date(2026, 3, 1), 22)],
)
def test_who_was_born_on_29_february_ages_on_1_march(day: date, age: int) -> None:
    assert age_on(day, date(2004, 2, 29)) == age


@pytest.mark.parametrize("text", ["", "1990-01-01", "1990/1/1", "0000/01/01", "١٩٩٠/01/01"])
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_date(text)


@given(st.lists(st.text("abcÅéßЖ", min_size=1), min_size=1, max_size=5), st.data())
def test_order_and_case_never_matter(words: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(words))
    assert same_tokens(" ".join(shuffled).upper(), " ".join(words))


@given(st.lists(st.sampled_from(["Mr", "mr.", "DR", "Mrs. ", "."]), max_size=4))
def test_a_name_of_titles_alone_matches_nothing(titles: list[str]) -> None:
    requested: dict[str, AttributeValue] = {"name": said(eng=" ".join(titles))}
    stored: dict[str, AttributeValue] = {"fullName": said(eng="Dr.")}
    assert match_demographics(requested, stored, TODAY, RULES) != ()
