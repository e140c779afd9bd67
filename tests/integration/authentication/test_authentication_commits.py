"""Decisions that share a commit: one that cannot be written does not take the others with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.authentication.domain.decision import DecidedTransaction, ReplayKey
from services.authentication.domain.partner import Endpoint, VerifiedPartner
from services.authentication.store.transactions import PostgresUnitOfWork
from services.common.postgres import Database

pytestmark = [pytest.mark.integration, pytest.mark.postgres]

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_decision(transaction_id: str, **changes: Any) -> DecidedTransaction:
    values: dict[str, Any] = {
        "auth_transaction_id": uuid4(),
        "partner": VerifiedPartner("bank", "misp", "policy", "key", b"certificate"),
        "endpoint": Endpoint.AUTH,
        "transaction_id": transaction_id,
        "factors": ("DEMO-AUTH", "OTP-AUTH"),
        "succeeded": False,
        "error_codes": ("IDA-MLC-001", "IDA-MLC-002"),
        "identity_id": uuid4(),
        "requested_at": NOW,
        "responded_at": NOW,
        "body_hash": b"\x01" * 32,
        "request_signature": "a..b",
        "response_signature": "c..d",
    }
    return DecidedTransaction(**values | changes)


def a_replay(transaction_id: str) -> ReplayKey:
    return ReplayKey("bank", transaction_id, b"\x01" * 32, NOW)


async def _rows(database: Database) -> dict[UUID, Any]:
    rows = await database.fetch("select * from auth_transaction")
    return {row["auth_transaction_id"]: row for row in rows}


async def test_concurrent_decisions_share_commits_and_each_has_its_audit_record(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database = await make_database("authentication")
    unit = PostgresUnitOfWork(database)
    decided = [a_decision(f"TRANSACT{number}") for number in range(20)]
    written = await asyncio.gather(
        *(unit.write_decided(one, a_replay(str(one.transaction_id))) for one in decided)
    )
    assert all(written)
    rows = await _rows(database)
    assert rows.keys() == {one.auth_transaction_id for one in decided}
    assert all(row["factors"] == ["DEMO-AUTH", "OTP-AUTH"] for row in rows.values())
    assert all(row["error_codes"] == ["IDA-MLC-001", "IDA-MLC-002"] for row in rows.values())
    events = await database.fetch("select txid::text as txid, event_type from feed")
    assert [row["event_type"] for row in events] == ["idmesh.audit.v1.AuditRecorded"] * 20
    assert len({row["txid"] for row in events}) < 20


async def test_one_that_cannot_be_written_fails_alone(
    make_database: Callable[[str], Awaitable[Database]],
) -> None:
    database = await make_database("authentication")
    unit = PostgresUnitOfWork(database)
    good = [a_decision("GOOD000001"), a_decision("GOOD000002")]
    bad = a_decision("BAD\x00000001")
    first, refused, second = await asyncio.gather(
        unit.write_decided(good[0], a_replay("GOOD000001")),
        unit.write_decided(bad, None),
        unit.write_decided(good[1], a_replay("GOOD000002")),
        return_exceptions=True,
    )
    assert isinstance(refused, asyncpg.CharacterNotInRepertoireError)
    assert first is True
    assert second is True
    assert (await _rows(database)).keys() == {one.auth_transaction_id for one in good}
    assert await database.fetchval("select count(*) from feed") == 2
    assert not await unit.write_decided(a_decision("GOOD000001"), a_replay("GOOD000001"))
