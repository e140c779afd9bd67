"""Audit records and the word to verifiers, in the commit of what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.common import audit
from services.common.postgres import Connection, load_queries

QUERIES = load_queries(__package__, "queries.sql")


async def done(
    connection: Connection, action: str, operator_id: str, details: Mapping[str, str] | None = None
) -> None:
    """Record an act upon an operator."""
    await audit.record(
        connection,
        action,
        "operator",
        operator_id.encode(),
        audit.Outcome.SUCCEEDED,
        details=details,
    )


async def refused(connection: Connection, action: str, operator_id: str, reason: str) -> None:
    """Record a refusal. A name that nobody has may be anything, a password too: it is left out."""
    known = await connection.fetchval(QUERIES["get"], operator_id) is not None
    await audit.record(
        connection,
        action,
        "operator",
        operator_id.encode() if known else b"unknown",
        audit.Outcome.REFUSED,
        details={"reason": reason},
    )


async def revoke_all(
    connection: Connection, operator_id: str, generation: int, tokens_end_at: datetime
) -> None:
    """Refuse an operator's tokens of before a generation, until the last one has expired."""
    await connection.execute(QUERIES["revoke_operator"], operator_id, generation, tokens_end_at)
    await connection.execute(QUERIES["forget_refresh_tokens"], operator_id)
    await connection.execute(QUERIES["trust_changed"])
