"""Writes TOML: tables of strings, numbers, booleans and lists. The library only reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(document: Mapping[str, object]) -> str:
    """Return the text of a document; tables come after the values beside them."""
    return "\n".join(_table((), document)).strip() + "\n"


def _table(path: tuple[str, ...], table: Mapping[str, object]) -> list[str]:
    values = [(name, value) for name, value in table.items() if not isinstance(value, Mapping)]
    lines = []
    if path and (values or not table):
        lines.append(f"\n[{'.'.join(map(_key, path))}]")
    lines += [f"{_key(name)} = {_value(value)}" for name, value in values]
    for name, value in table.items():
        if isinstance(value, Mapping):
            lines += _table((*path, name), value)
    return lines


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the delete character, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"not for TOML: {type(value).__name__}")
