"""Keeps the logs of a data folder small."""

from __future__ import annotations

import shutil
from pathlib import Path

LARGEST = 32 * 1024 * 1024
LARGEST_AUDIT = 64 * 1024 * 1024
KEPT = 5
KEPT_AUDIT = 20


def rotate_copied(path: Path, *, largest: int = LARGEST, kept: int = KEPT) -> bool:
    """Copy a large log away and empty it: its writer holds it open, in append mode.

    What is written between the two steps is lost; these are diagnostics, not records.
    """
    if not path.exists() or path.stat().st_size < largest:
        return False
    _shift(path, kept)
    shutil.copyfile(path, _numbered(path, 1))
    with path.open("r+b") as file:
        file.truncate(0)
    return True


def rotate_reopened(path: Path, *, largest: int = LARGEST_AUDIT, kept: int = KEPT_AUDIT) -> bool:
    """Move a large log away; nothing is lost, for its writer is then told to open it anew."""
    if not path.exists() or path.stat().st_size < largest:
        return False
    _shift(path, kept)
    path.rename(_numbered(path, 1))
    return True


def _shift(path: Path, kept: int) -> None:
    _numbered(path, kept).unlink(missing_ok=True)
    for number in range(kept - 1, 0, -1):
        older = _numbered(path, number)
        if older.exists():
            older.rename(_numbered(path, number + 1))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
