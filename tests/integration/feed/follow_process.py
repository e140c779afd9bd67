"""A follower in a process of its own, to be killed: PORT PASSWORD_FILE WRITER_DB FOLLOWER_DB."""

from __future__ import annotations

import asyncio
import sys

from idmesh.audit.v1.audit_events_pb2 import AuditRecorded

from services.common.config import PostgresConfig
from services.common.feed import Follower
from services.common.postgres import Database
from tests.fakes.feed import LocalFeed
from tests.integration.feed.events import apply


async def main(port: int, password_file: str, writer_db: str, follower_db: str) -> None:
    def config(database: str, user: str) -> PostgresConfig:
        return PostgresConfig(
            host="127.0.0.1", port=port, database=database, user=user,
            password_file=password_file, pool_min=0, pool_max=3,
        )  # fmt: skip

    async with (
        Database(config(writer_db, "alpha"), service="alpha") as writer,
        Database(config(follower_db, "beta"), service="beta") as database,
    ):
        source = LocalFeed(writer, caller="audit")
        follower = Follower(
            source, database, name="alpha", handler=apply, event_types=[AuditRecorded]
        )
        await follower.run()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:5]))
