"""What keeps a process's memory to itself."""

from __future__ import annotations

import ctypes
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def hide_memory() -> bool:
    """Keep other processes of the same user from reading this one's memory; no debugger, no dump.

    Core dumps are off in every process anyway. Returns whether the kernel did it: elsewhere than
    on Linux it cannot.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return prctl is not None and prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
