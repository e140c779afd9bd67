"""A process that rewraps, slowly, until it is killed; its argument is a JSON of its access."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from services.common.config import PostgresConfig, VaultConfig
from services.common.postgres import Database
from services.common.rotation import ColumnHolding, Pace, Rewrapper
from services.common.vault import VaultClient
from services.identity.store.holdings import COLUMNS


async def main(access: dict[str, dict[str, object]]) -> None:
    """Rewrap identity's columns, ten at a time, most of the time at rest."""
    async with (
        VaultClient(VaultConfig(**access["vault"])) as vault,  # type: ignore[arg-type]
        Database(PostgresConfig(**access["postgres"]), service="identity") as database,  # type: ignore[arg-type]
    ):
        columns = [ColumnHolding(each, database, vault) for each in COLUMNS]
        await Rewrapper(database, vault, columns, Pace(lot=10, duty=0.02, lease_s=1.0)).run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
