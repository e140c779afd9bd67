"""A person: who they are on paper, and the seed of their body."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from services.common.packet import Document
from services.synthetic import names
from services.synthetic.seeds import generator

_OLDEST, _YOUNGEST = date(1940, 1, 1), date(2007, 12, 31)

Words = tuple[str, str, str]


@dataclass(frozen=True)
class Person:
    """A person; texts come in the order of names.LANGUAGES.

    number and population are the seed: of the texts here, and of the body in captures.
    """

    population: int
    number: int
    gender: Literal["FEMALE", "MALE"]
    given_name: Words
    family_name: Words
    date_of_birth: date
    house: int
    street: Words
    place: tuple[Words, Words, Words, Words]
    postal_code: str
    phone: str
    email: str

    @property
    def full_name(self) -> Words:
        """Given and family name."""
        english, french, arabic = (
            f"{given} {family}"
            for given, family in zip(self.given_name, self.family_name, strict=True)
        )
        return english, french, arabic

    def fields(self, languages: Sequence[str] = names.LANGUAGES) -> dict[str, Any]:
        """Return the values of ID.json, by the names of the default identity schema."""

        def simple(words: Words) -> list[dict[str, str]]:
            by_language = dict(zip(names.LANGUAGES, words, strict=True))
            return [
                {"language": language, "value": by_language[language]} for language in languages
            ]

        english, french, arabic = self.street
        line = (f"{self.house} {english}", f"{self.house}, {french}", f"{arabic} {self.house}")
        region, province, city, zone = self.place
        return {
            "fullName": simple(self.full_name),
            "dateOfBirth": self.date_of_birth.strftime("%Y/%m/%d"),
            "gender": simple(names.GENDERS[self.gender]),
            "residenceStatus": simple(names.RESIDENT),
            "addressLine1": simple(line),
            "region": simple(region),
            "province": simple(province),
            "city": simple(city),
            "zone": simple(zone),
            "postalCode": self.postal_code,
            "phone": self.phone,
            "email": self.email,
            "preferredLang": languages[0],
            "consent": "Y",
        }

    def documents(self) -> dict[str, Document]:
        """Return a document that proves the identity, as small as a PDF can be."""
        text = f"Birth record {self.population}-{self.number}"
        number = f"BR{self.population:04d}{self.number:08d}"
        return {"proofOfIdentity": Document("BRC", "pdf", _pdf(text), number)}


def make_person(number: int, *, population: int = 1) -> Person:
    """Return a person of a population; the same numbers, the same person. Both are >= 0."""
    random = generator(population, number, "person")
    gender: Literal["FEMALE", "MALE"] = "FEMALE" if random.random() < 0.5 else "MALE"
    given = _one(random.random(), names.FEMALE if gender == "FEMALE" else names.MALE)
    family = _one(random.random(), names.FAMILY)
    days = (_YOUNGEST - _OLDEST).days
    born = _OLDEST + timedelta(days=int(random.integers(days)))
    street = _one(random.random(), names.STREETS)
    place, postal = names.PLACES[int(random.integers(len(names.PLACES)))]
    house = int(random.integers(1, 200))
    postal_code = f"{postal}{int(random.integers(1000)):03d}"
    serial = population * 10_000_019 + number
    return Person(
        population=population,
        number=number,
        gender=gender,
        given_name=given,
        family_name=family,
        date_of_birth=born,
        house=house,
        street=street,
        place=place,
        postal_code=postal_code,
        phone=f"6{serial % 1_000_000_000:09d}",
        email=f"{_ascii(given[0])}.{_ascii(family[0])}.{population}.{number}@example.org",
    )


def _one(fraction: float, choices: Sequence[Words]) -> Words:
    return choices[int(fraction * len(choices))]


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(character for character in plain.lower() if character.isalnum())


def _pdf(text: str) -> bytes:
    """Return a PDF of one page with one line."""
    stream = f"BT /F1 18 Tf 40 780 Td ({text}) Tj ET".encode("ascii")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
    ]
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    body += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return body
