"""A process that appends and signs for as long as it lives: the tests kill it.

Arguments: JSON with the PostgreSQL configuration and the folder of the log's files.
"""

from __future__ import annotations

import asyncio
import json
import sys

from idmesh.audit.v1 import audit_events_pb2

from services.audit import convert
from services.audit.clients.files import ObjectFiles
from services.audit.domain.record import RecordedAct
from services.audit.store.checkpoints import PostgresCheckpoints
from services.audit.store.log import Log
from services.audit.usecases.grow_tree import GrowTree
from services.common import audit
from services.common.config import PostgresConfig
from services.common.objects import ObjectStore
from services.common.postgres import Database
from tests.fakes.audit import ORIGIN, FakeSigner

LOT = 90


async def run(arguments: dict[str, object]) -> None:
    postgres = PostgresConfig(**arguments["postgres"])  # type: ignore[arg-type]
    async with (
        Database(postgres, service="audit") as database,
        ObjectStore(str(arguments["objects"])) as objects,
    ):
        log = Log(database, read)
        checkpoints = PostgresCheckpoints(database)
        files = ObjectFiles(objects)
        grow = GrowTree(log, checkpoints, files, FakeSigner(1), origin=ORIGIN, recheck=512)
        while True:
            acts = [
                audit.act_of("audit", "TESTED", "test", b"", audit.Outcome.SUCCEEDED)
                for _ in range(LOT)
            ]
            async with database.transaction() as connection:
                await log.append(connection, list(map(convert.act_from_event, acts)))
            checkpoint = await grow()
            assert checkpoint is not None
            print(checkpoint.size, flush=True)


def read(raw: bytes) -> RecordedAct:
    return convert.act_from_event(audit_events_pb2.AuditRecorded.FromString(raw))


if __name__ == "__main__":
    asyncio.run(run(json.loads(sys.argv[1])))
