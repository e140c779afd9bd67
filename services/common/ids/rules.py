"""What a number that people must read, remember and dictate may not look like.

Source: mosip/commons, UinFilterUtil and VidFilterUtils, with the limits of mosip/mosip-config,
application-default.properties. Each rule is a name and a pattern; the first that hits is reported.
"""

import re
from collections.abc import Sequence

Rule = tuple[str, re.Pattern[str]]

_RUN_LENGTH = 3
# MOSIP lists six more, all longer than any number that can be drawn here.
_CYCLIC_NUMBERS = ("142857", "0588235294117647", "052631578947368421")
_RESTRICTED = ("786", "666")


def _runs(alphabet: str) -> Sequence[str]:
    """Return every run of three in alphabet, up and down."""
    ups = [alphabet[i : i + _RUN_LENGTH] for i in range(len(alphabet) - _RUN_LENGTH + 1)]
    return [*ups, *(run[::-1] for run in ups)]


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(words))


_LEADING = ("LEADING_DIGIT", re.compile(r"\A[01]"))
_ADJACENT = ("REPEATED_DIGIT", re.compile(r"(\d)\d?\1"))
_BLOCK = ("REPEATED_BLOCK", re.compile(r"(\d{2,}).*?\1"))
_RESERVED = ("RESTRICTED_NUMBER", _any_of(_RESTRICTED))

UIN_RULES: tuple[Rule, ...] = (
    _LEADING,
    # Wrapping: 890, 901 and back are runs too.
    ("SEQUENCE", _any_of(_runs("012345678901"))),
    _ADJACENT,
    _BLOCK,
    ("EVEN_DIGITS", re.compile(r"[2468]{3}")),
    _RESERVED,
    ("CYCLIC_NUMBER", _any_of(_CYCLIC_NUMBERS)),
)
VID_RULES: tuple[Rule, ...] = (
    _LEADING,
    ("SEQUENCE", _any_of(_runs("0123456789"))),
    _ADJACENT,
    _BLOCK,
    _RESERVED,
)


def first_violation(digits: str, rules: tuple[Rule, ...]) -> str | None:
    """Return the name of the first rule that digits breaks, None when it keeps all."""
    for name, pattern in rules:
        if pattern.search(digits):
            return name
    return None
