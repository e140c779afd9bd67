"""Issuers elsewhere whose operators may come in: `issuers.toml` in the data folder.

One table for each, with the keys of access's IssuerConfig, as docs/OPERATORS.md shows. Both the
edge and access are told of them; only access fetches their keys.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from services.access.domain.issuers import IssuerConfig, check_names
from services.common import config
from services.local.folder import ISSUERS, DataFolder
from services.local.problems import Problem

_PATHS = ("jwks_file", "ca_file")


def read(folder: DataFolder, own: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the tables by name; none if there is no file. Files are named as from the folder.

    Args:
        own: this platform's own issuer, which none of them may be.

    Raises:
        Problem: the file is no TOML, or a table is wrong.
    """
    file = folder.root / ISSUERS
    try:
        tables: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Problem(f"{file} cannot be read.", str(error)) from None
    for table in tables.values():
        for name in _PATHS:
            if isinstance(table, dict) and table.get(name):
                table[name] = str(folder.root / str(table[name]))
    try:
        check_names(
            {name: config.structure(IssuerConfig, table, name) for name, table in tables.items()},
            own,
        )
    except (config.ConfigError, ValueError) as error:
        raise Problem(f"{file} is wrong.", str(error)) from None
    return tables
