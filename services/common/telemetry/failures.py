"""How an exception is told: what it was and where, never what it said.

Messages of unexpected exceptions quote the data that broke them: a KeyError its key, a
decoder its input, a driver its row.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath

MAX_FRAMES = 12
MAX_CHAIN = 5


def describe(error: BaseException) -> dict[str, object]:
    """Return the type of an exception, its innermost frames and its causes', without messages."""
    chain: list[dict[str, object]] = []
    seen: set[int] = set()
    present: BaseException | None = error
    while present is not None and id(present) not in seen and len(chain) < MAX_CHAIN:
        seen.add(id(present))
        chain.append(_one(present))
        hidden = present.__suppress_context__
        present = present.__cause__ or (None if hidden else present.__context__)
    described = chain[0]
    if len(chain) > 1:
        described["causes"] = chain[1:]
    return described


def _one(error: BaseException) -> dict[str, object]:
    kind = type(error)
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    told: dict[str, object] = {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "frames": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, BaseExceptionGroup):
        told["group"] = [_one(inner) for inner in error.exceptions[:MAX_CHAIN]]
    return told


def _short(filename: str) -> str:
    return "/".join(PurePath(filename).parts[-3:])
