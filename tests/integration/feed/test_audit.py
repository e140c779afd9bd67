from __future__ import annotations

import pytest
from idmesh.audit.v1 import audit_events_pb2

from services.common import audit, feed, telemetry
from services.common.postgres import Database
from tests.conftest import MakeDatabase

pytestmark = [pytest.mark.integration, pytest.mark.postgres]


async def test_a_record_is_written_with_the_act_and_vanishes_with_it(
    make_database: MakeDatabase,
) -> None:
    db = await make_database("alpha")
    with telemetry.correlated("call-1"):
        async with db.transaction() as connection:
            await audit.record(
                connection, "UIN_ISSUED", "registration", b"\x01" * 16, audit.Outcome.SUCCEEDED,
                details={"attempts": "1"},
            )  # fmt: skip
    with pytest.raises(RuntimeError):
        await _undone(db)
    [stored] = (await feed.read(db, None)).events
    record = audit_events_pb2.AuditRecorded.FromString(stored.payload)
    assert (record.service, record.action) == ("alpha", "UIN_ISSUED")
    assert record.outcome == audit_events_pb2.OUTCOME_SUCCEEDED
    assert (record.actor.kind, record.actor.id) == ("service", "alpha")
    assert (record.subject.kind, record.subject.key) == ("registration", b"\x01" * 16)
    assert record.correlation_id == "call-1"
    assert dict(record.details) == {"attempts": "1"}
    assert len(record.audit_id) == 16
    assert abs(record.acted_at.seconds - stored.recorded_at.timestamp()) < 5


async def _undone(db: Database) -> None:
    async with db.transaction() as connection:
        await audit.record(
            connection, "UIN_ISSUED", "registration", b"\x02" * 16, audit.Outcome.FAILED,
            actor=audit.Actor("operator", "op-7"),
        )  # fmt: skip
        raise RuntimeError
