"""The SQL of a declared column. Its names were checked to be plain, nothing else goes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.common.postgres import Query

if TYPE_CHECKING:
    from services.common.rotation.columns import Column

# A box's header lies inside, with much room; the rest of the box never leaves the database.
PREFIX_BYTES = 1024
_ESTIMATE = "select reltuples::bigint from pg_class where oid = '{}'::regclass"


@dataclass(frozen=True)
class Statements:
    """versions ($1: count no further), estimate, lot ($1: below this version, $2: how many),
    replace ($1: old, $2: new, then what goes along, then the primary key's columns).
    """

    versions: Query
    estimate: Query
    lot: Query
    replace: Query


def of(column: Column) -> Statements:
    """Return the statements of a column."""
    name = f"{column.table}_{column.column}"
    return Statements(
        Query(f"count_versions_of_{name}", _versions(column)),
        Query(f"estimate_{name}", _ESTIMATE.format(column.table)),
        Query(f"lot_of_{name}", _lot(column)),
        Query(f"replace_{name}", _replace(column)),
    )


def version_of(column: Column) -> str:
    """Return the SQL expression of the version that a row needs; there is an index on it."""
    if column.version_column:
        return column.version_column
    return f"{column.form.value}_key_version({column.column})"


def _versions(column: Column) -> str:
    version, and_where = version_of(column), f" and ({column.where})" if column.where else ""
    oldest = f"min({column.made_column})" if column.made_column else "null::timestamptz"
    until = f"max({column.until_column})" if column.until_column else "null::timestamptz"
    more = "".join(f", {each}" for each in (column.made_column, column.until_column) if each)
    return f"""
        with recursive found as (
            (select min({version}) as version from {column.table} where {version} > 0{and_where})
            union all
            (select (
                select min({version}) from {column.table}
                where {version} > found.version{and_where}
            ) from found where found.version is not null)
        )
        select found.version, counted.* from found cross join lateral (
            select count(*) as items, {oldest} as oldest_at, {until} as needed_until
            from (
                select {version}{more} from {column.table}
                where {version} = found.version{and_where} limit $1
            ) as counted_rows
        ) as counted
        where found.version is not null and counted.items > 0
    """  # noqa: S608


def _read(column: Column) -> str:
    if column.form.value == "box":
        return f"substring({column.column} from 1 for {PREFIX_BYTES})"
    return column.column


def _lot(column: Column) -> str:
    version, and_where = version_of(column), f" and ({column.where})" if column.where else ""
    plain = column.plain_column or "''"
    return f"""
        select {", ".join(column.identified_by)}, {_read(column)} as old,
            {version} as old_version, {plain} as plain
        from {column.table} where {version} > 0 and {version} < $1{and_where}
        order by {version} limit $2
    """  # noqa: S608


def _replace(column: Column) -> str:
    kind = "text" if column.form.value == "ciphertext" else "bytea"
    new, along = "given.new", ""
    if column.form.value == "box":
        new = f"given.new || substring({column.column} from {PREFIX_BYTES + 1})"
    if column.version_column:
        along = ", $3::integer[]"
    elif column.also:
        along = ", $3::text[]"
    first = 4 if along else 3
    extra = column.version_column or column.also
    names = list(column.identified_by)
    arrays = [
        f"${place}::{kind_}[]"
        for place, kind_ in enumerate(column.identified_by.values(), start=first)
    ]
    own = ", ".join(f"{column.table}.{name}" for name in names)
    given = ", ".join(f"given.{name}" for name in names)
    more = f", {extra} = given.along" if along else ""
    return f"""
        update {column.table} set {column.column} = {new}{more}
        from unnest($1::{kind}[], $2::{kind}[]{along}, {", ".join(arrays)})
            as given (old, new{", along" if along else ""}, {", ".join(names)})
        where ({own}) = ({given}) and {_read(column)} = given.old
        returning {own}
    """  # noqa: S608
