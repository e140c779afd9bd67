"""A supervisor of empty services, for tests that kill it: `run_supervisor.py FOLDER PROCESS...`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

SERVICE = Path(__file__).with_name("mesh_service.py")


def serve_command(_: str, services: Sequence[str], config: Path) -> list[str]:
    return [sys.executable, str(SERVICE), *services, "--config", str(config)]


def main() -> None:
    from services.local.supervisor import Settings, up

    settings = Settings(
        data_folder=Path(sys.argv[1]),
        ports="auto",
        processes=tuple(sys.argv[2:]),
        serve_command=serve_command,
        say=lambda line: print(line, flush=True),
    )
    asyncio.run(up(settings))


if __name__ == "__main__":
    main()
