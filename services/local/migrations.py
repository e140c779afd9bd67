"""Runs every service's migrations; the files lie in services/<name>/store/migrations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from services.local import topology

SERVICES_FOLDER = Path(__file__).resolve().parent.parent


def folder_of(service: str) -> Path | None:
    """Where a service's own migrations lie; None when it has none."""
    folder = SERVICES_FOLDER / service / "store" / "migrations"
    return folder if folder.is_dir() else None


async def migrate(
    admin_dsn: str,
    services: Sequence[str] = (),
    *,
    phase: Literal["pre", "post", "all"] = "all",
    dry_run: bool = False,
) -> list[str]:
    """Bring schemas up to date. Returns what ran, or with dry_run would run."""
    from services.common import postgres

    done = []
    for service in services or topology.services_with_database():
        ran = await postgres.migrate(
            admin_dsn,
            schema=service,
            role=service,
            folder=folder_of(service),
            phase=phase,
            dry_run=dry_run,
        )
        done += [f"{service}: {migration.source}/{migration.file}" for migration in ran]
    return done
