"""Proto to domain and back gives the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.common.errors import InvalidArgument
from services.masterdata import convert
from services.masterdata.domain.field import Centre, Machine
from services.masterdata.domain.id_schema import IdSchema

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_round_trips() -> None:
    centre = Centre("10001", "Nord", True)
    assert convert.centre_from_proto(convert.centre_to_proto(centre)) == centre
    machine = Machine("10077", "10001", "Desk", b"der", False)
    assert convert.machine_from_proto(convert.machine_to_proto(machine)) == machine
    schema = IdSchema(0.1, "{}", AT)
    assert convert.schema_from_proto(convert.schema_to_proto(schema)) == schema


def test_page_tokens_are_ours_alone() -> None:
    assert convert.page_token_to_centre(convert.page_token_of("10001")) == "10001"
    assert convert.page_token_to_centre("") == ""
    for token in ("!", "é", "YWJj", "MTAwMDE"):
        with pytest.raises(InvalidArgument):
            convert.page_token_to_centre(token)
