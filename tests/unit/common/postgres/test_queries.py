from __future__ import annotations

import pytest

from services.common.postgres.queries import Query, name_of, parse_queries


def test_statements_are_found_by_name_and_carry_it() -> None:
    queries = parse_queries(
        "-- A head.\n-- name: add_vid\ninsert into vid values ($1);\n\n-- why\n"
        "-- name: get_vid\nselect 1\n",
        where="queries.sql",
    )
    assert list(queries) == ["add_vid", "get_vid"]
    assert queries["add_vid"].name == "add_vid"
    assert queries["add_vid"].startswith("/* add_vid */ insert into vid values ($1)")
    assert name_of(queries["get_vid"]) == "get_vid"


def test_a_plain_string_is_an_unnamed_statement() -> None:
    assert name_of("select 1") == "unnamed"
    assert isinstance(Query("a", "select 1"), str)


@pytest.mark.parametrize(
    "text",
    [
        "select 1;\n-- name: late\nselect 2",
        "-- name: twice\nselect 1;\n-- name: twice\nselect 2",
        "-- name: empty\n\n-- name: full\nselect 1",
    ],
)
def test_a_malformed_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"queries\.sql"):
        parse_queries(text, where="queries.sql")
