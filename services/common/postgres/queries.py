"""Named SQL: `-- name: add_vid` starts a statement, which ends where the next one starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^--\s*name:\s*(?P<name>[a-z][a-z0-9_]*)\s*$", re.MULTILINE)


class Query(str):
    """A statement that carries its name, for metrics and the server's activity view."""

    __slots__ = ("name",)

    name: str

    def __new__(cls, name: str, sql: str) -> Query:
        """Return the statement with its name as a leading comment, which the server shows."""
        query = super().__new__(cls, f"/* {name} */ {sql}")
        query.name = name
        return query


def name_of(sql: str) -> str:
    """Return the statement's name; one without (in a test, a tool) is "unnamed"."""
    return sql.name if isinstance(sql, Query) else "unnamed"


def parse_queries(text: str, *, where: str) -> Mapping[str, Query]:
    """Return the statements of a file by name.

    Raises:
        ValueError: text before the first name, a name twice, or a name without a statement.
    """
    marks = list(_NAME.finditer(text))
    head = text[: marks[0].start()] if marks else text
    if any(line.strip() and not line.lstrip().startswith("--") for line in head.splitlines()):
        raise ValueError(f"{where}: SQL before the first name")
    queries: dict[str, Query] = {}
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=True):
        name, sql = mark["name"], text[mark.end() : end].strip().rstrip(";")
        if name in queries:
            raise ValueError(f"{where}: {name} stands twice")
        if not sql:
            raise ValueError(f"{where}: {name} has no statement")
        queries[name] = Query(name, sql)
    return MappingProxyType(queries)


@cache
def load_queries(package: str, file: str = "queries.sql") -> Mapping[str, Query]:
    """Return the named statements of a file that lies in a package."""
    text = resources.files(package).joinpath(file).read_text(encoding="utf-8")
    return parse_queries(text, where=f"{package}/{file}")
