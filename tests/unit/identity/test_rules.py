"""Capacity, contacts, policies."""

from __future__ import annotations

import json
from itertools import product

import pytest

from services.common.config import ConfigError, structure
from services.common.ids import is_issuable_uin
from services.common.ids.rules import UIN_RULES, first_violation
from services.identity.config import Config
from services.identity.domain.capacity import check_population, uin_capacity
from services.identity.domain.record import ContactFields, Record, contact_of


def count_issuable(length: int) -> int:
    """Count by extending prefixes that keep the rules, which no later digit can mend."""
    prefixes = list("23456789")
    for _ in range(length - 1):
        prefixes = [
            prefix + digit
            for prefix, digit in product(prefixes, "0123456789")
            if first_violation(prefix + digit, UIN_RULES) is None
        ]
    return sum(map(is_issuable_uin, prefixes))


def test_the_way_of_counting_agrees_with_brute_force() -> None:
    brute = sum(is_issuable_uin(f"{number:05d}") for number in range(100_000))
    assert count_issuable(5) == brute
    assert count_issuable(6) == 22_268


@pytest.mark.parametrize(("population", "length"), [(29_053_450, 10), (0, 12), (10**6, 7)])
def test_a_population_above_half_the_capacity_is_refused(population: int, length: int) -> None:
    with pytest.raises(ValueError, match=r"population|uin_length"):
        check_population(population, length)


def test_half_the_capacity_is_accepted() -> None:
    check_population(uin_capacity(10) // 2, 10)


def test_bootstrap_refuses_a_population_that_the_length_cannot_hold() -> None:
    table = {
        "listen": "127.0.0.1:0",
        "tls": {"folder": "/tls"},
        "vault": {
            "address": "http://127.0.0.1:8200",
            "role_id": "r",
            "secret_id_file": "/s",
            "pki_role": "core/pki/identity",
        },
        "postgres": {"host": "h", "database": "d", "user": "u", "password_file": "/p"},
        "peers": {"authentication": "a", "notification": "n"},
    }
    assert structure(Config, table).uin_length == 12
    with pytest.raises(ConfigError, match="half of what 10 digits hold"):
        structure(Config, table | {"uin_length": 10})


def test_the_contact_is_in_the_language_preferred() -> None:
    demographics = {
        "fullName": [
            {"language": "fra", "value": "Aminata"},
            {"language": "ara", "value": "أمينة"},
        ],
        "email": "a@example.org",
    }
    record = Record(json.dumps(demographics))
    french = contact_of(record, ContactFields(languages=("eng", "fra")))
    assert (french.name, french.language, french.email) == ("Aminata", "fra", "a@example.org")
    first = contact_of(record, ContactFields(languages=("eng",)))
    assert (first.name, first.language, first.phone) == ("Aminata", "fra", "")


@pytest.mark.parametrize("language", ["", "en", "ENG", "e1g", "été", "e\ng"])
def test_a_language_that_is_no_code_is_not_passed_on(language: str) -> None:
    record = Record(json.dumps({"fullName": [{"language": language, "value": "Aminata"}]}))
    contact = contact_of(record, ContactFields())
    assert (contact.name, contact.language) == ("Aminata", "eng")


@pytest.mark.parametrize("value", [None, 7, {}, [], [{"language": "eng"}], ""])
def test_a_contact_without_data_is_empty(value: object) -> None:
    record = Record(json.dumps({"fullName": value, "email": value}))
    contact = contact_of(record, ContactFields())
    assert (contact.name, contact.email) == ("", "")
