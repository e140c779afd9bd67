from __future__ import annotations

import pytest

from services.common import errors
from services.common.errors import BY_CODE, FieldViolation, InvalidArgument, Unavailable


def test_a_field_is_short_for_one_violation() -> None:
    error = InvalidArgument("TEXT_EMPTY", "It is empty.", field="text")
    assert error.violations == (FieldViolation("text", "TEXT_EMPTY", "It is empty."),)
    assert error.field == "text"


def test_the_field_of_several_violations_is_the_first() -> None:
    violations = [FieldViolation("a", "X", "x"), FieldViolation("b", "Y", "y")]
    error = InvalidArgument("REQUEST_INVALID", "It is wrong.", violations=violations)
    assert (error.field, len(error.violations)) == ("a", 2)


def test_an_error_says_its_reason_and_keeps_its_metadata_from_changing() -> None:
    metadata = {"by": "x"}
    error = Unavailable("AWAY", "It is away.", metadata=metadata, retry_after_s=1.5)
    metadata["by"] = "y"
    assert str(error) == "AWAY: It is away."
    assert error.metadata == {"by": "x"}
    with pytest.raises(TypeError):
        error.metadata["by"] = "z"  # type: ignore[index]


def test_a_reason_that_is_not_upper_snake_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        Unavailable("not upper", "x")


def test_every_class_has_its_own_code() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, errors.PlatformError)
        and kind is not errors.PlatformError
    ]
    assert {kind.code: kind for kind in kinds} == dict(BY_CODE)
    assert len(kinds) == 12
