"""Where our Python processes keep what they compile, when that may not lie beside the sources.

Five processes that compile their imports anew need twice as long to start. That happens where
PYTHONDONTWRITEBYTECODE is set, as in many containers, and where the installation is read-only.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What to add to a child's environment."""
    if not _is_needed():
        return {}
    cache = _cache(environ)
    if cache is None:
        return {}
    # Empty is as good as unset.
    return {"PYTHONPYCACHEPREFIX": str(cache), "PYTHONDONTWRITEBYTECODE": ""}


def use() -> None:
    """The same for what this process is yet to import, and for its children."""
    found = environment()
    if found:
        os.environ.update(found)
        sys.pycache_prefix = found["PYTHONPYCACHEPREFIX"]
        sys.dont_write_bytecode = False


def _is_needed() -> bool:
    if sys.pycache_prefix is not None and not sys.dont_write_bytecode:
        return False
    # Stands for all that is installed; ours is the smaller part.
    source = click.__file__
    if Path(importlib.util.cache_from_source(source)).exists():
        return False
    return sys.dont_write_bytecode or not os.access(Path(source).parent, os.W_OK)


def _cache(environ: Mapping[str, str]) -> Path | None:
    """A private folder that outlives data folders; None where there is none to be had."""
    home = environ.get("HOME", "")
    base = environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    if not base.startswith("/"):
        return None
    cache = Path(base) / "idmesh" / "bytecode"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = cache.stat()
    except OSError:
        return None
    # Whoever can write there decides what we run.
    return cache if found.st_uid == os.getuid() and not found.st_mode & 0o022 else None
