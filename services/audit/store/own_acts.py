"""What the audit service itself does, appended to the log in the transaction of the act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from services.audit import convert
from services.audit.domain.record import RecordedAct
from services.audit.domain.tree import Refusals
from services.audit.store.log import Log
from services.common import audit
from services.common.postgres import Connection, Database

_SERVICE = "audit"


class PostgresOwnActs:
    """See ports.OwnActs."""

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log

    async def record(
        self,
        action: str,
        subject_kind: str,
        subject_key: bytes,
        details: Mapping[str, str],
        *,
        refused: bool = False,
    ) -> None:
        """Append one act that the present caller asked for."""
        outcome = audit.Outcome.REFUSED if refused else audit.Outcome.SUCCEEDED
        act = audit.act_of(_SERVICE, action, subject_kind, subject_key, outcome, details=details)
        async with self._database.transaction() as connection:
            await self.append(connection, act)

    async def append(self, connection: Connection, act: audit.Act) -> None:
        """Append one act in the caller's transaction."""
        await self._log.append(connection, [convert.act_from_event(act)])


class PostgresRefusals:
    """What the gateway refused, as records whose ids follow from the report's."""

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log

    async def append(self, report_id: UUID, refusals: Sequence[Refusals]) -> None:
        """Append a report; the same one again adds nothing."""
        acts = [_refused(uuid5(report_id, str(place)), each) for place, each in enumerate(refusals)]
        async with self._database.transaction() as connection:
            await self._log.append(connection, acts)


def _refused(audit_id: UUID, refusals: Refusals) -> RecordedAct:
    act = audit.act_of(
        "gateway",
        "REQUESTS_REFUSED",
        "partner",
        refusals.partner_id.encode(),
        audit.Outcome.REFUSED,
        audit.Actor("partner", refusals.partner_id),
        {
            "reason": refusals.reason,
            "count": str(refusals.count),
            "first_at": _text(refusals.first_at),
            "last_at": _text(refusals.last_at),
        },
    )
    act.audit_id = audit_id.bytes
    act.correlation_id = refusals.correlation_id
    return convert.act_from_event(act)


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")
