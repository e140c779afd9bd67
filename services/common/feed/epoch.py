"""Starting a new epoch after a restore; a step of the operator's restore procedure."""

from __future__ import annotations

import asyncpg

from services.common.postgres import translated


async def start_epoch(admin_dsn: str, schema: str, *, owner: str = "idmesh_owner") -> int:
    """Begin a new epoch of a schema's feed and return it: every follower resyncs.

    For a database that was set back to an earlier point of its own history. One that was loaded
    into another cluster is noticed by migrate.
    """
    with translated():
        connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        with translated():
            async with connection.transaction():
                await connection.execute(
                    f'set local role "{owner}"; set local search_path = "{schema}"'
                )
                epoch: int = await connection.fetchval("select feed_begin_epoch()")
                return epoch
    finally:
        await connection.close(timeout=5)
