"""Message templates per language."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from services.common.errors import InvalidArgument, NotFound
from services.notification.domain.message import Text


@dataclass(frozen=True)
class Wording:
    """Subject and body with $parameters."""

    subject: str
    body: str


@dataclass(frozen=True)
class Template:
    """One message in several languages (ISO 639-2/T)."""

    name: str
    default_language: str
    parameters: frozenset[str]
    wordings: Mapping[str, Wording]

    def render(self, recipient: str, language: str, parameters: Mapping[str, str]) -> Text:
        """Fill in the wording of a language, or of the default one.

        Raises:
            InvalidArgument: TEMPLATE_PARAMETER_MISSING or TEMPLATE_PARAMETER_UNKNOWN.
        """
        if missing := self.parameters - parameters.keys():
            raise _parameter("TEMPLATE_PARAMETER_MISSING", "lacks", min(missing))
        if unknown := parameters.keys() - self.parameters:
            raise _parameter("TEMPLATE_PARAMETER_UNKNOWN", "has no", min(unknown))
        wording = self.wordings.get(language) or self.wordings[self.default_language]
        # One line each: a value must not add lines of its own to the message.
        values = {name: " ".join(value.split()) for name, value in parameters.items()}
        return Text(
            recipient,
            string.Template(wording.subject).substitute(values),
            string.Template(wording.body).substitute(values),
        )


class Catalogue:
    """The templates by name."""

    def __init__(self, templates: Mapping[str, Template]) -> None:
        self._templates = templates

    def get(self, name: str) -> Template:
        """Return a template.

        Raises:
            NotFound: TEMPLATE_NOT_FOUND.
        """
        if name not in self._templates:
            raise NotFound("TEMPLATE_NOT_FOUND", "There is no such template.", field="template")
        return self._templates[name]


def template_from_table(name: str, table: Mapping[str, object]) -> Template:
    """Return a template from its TOML table.

    Raises:
        ValueError: the table is not a template, or a wording uses an undeclared parameter.
    """
    languages = table.get("language")
    declared = table.get("parameters")
    default = table.get("default_language")
    if not (
        isinstance(languages, Mapping) and isinstance(declared, list) and isinstance(default, str)
    ):
        raise ValueError(f"template {name} needs default_language, parameters and language tables")
    wordings = {code: Wording(text["subject"], text["body"]) for code, text in languages.items()}
    if default not in wordings:
        raise ValueError(f"template {name} has no wording in its default language {default}")
    for code, wording in wordings.items():
        used = set(string.Template(wording.subject + wording.body).get_identifiers())
        if not used <= set(declared):
            raise ValueError(f"template {name} ({code}) uses undeclared {used - set(declared)}")
    return Template(name, default, frozenset(declared), wordings)


def _parameter(reason: str, verb: str, parameter: str) -> InvalidArgument:
    return InvalidArgument(
        reason, f"The template {verb} parameter {parameter}.", field="parameters"
    )
