"""Roles, what they imply, and the scopes by which a token can be narrowed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources

from services.common.errors import InvalidArgument


def _read() -> Mapping[str, Mapping[str, list[str]]]:
    text = resources.files(__package__).joinpath("roles.toml").read_text("utf-8")
    return tomllib.loads(text)


_TABLE = _read()
ROLES = frozenset(_TABLE)
SCOPES = frozenset(scope for row in _TABLE.values() for scope in row.get("scopes", ()))


def known(roles: Iterable[str]) -> tuple[str, ...]:
    """Return the roles in order, each once.

    Raises:
        InvalidArgument: ROLE_UNKNOWN.
    """
    wanted = set(roles)
    if unknown := wanted - ROLES:
        raise InvalidArgument("ROLE_UNKNOWN", f"No role {min(unknown)}.", field="roles")
    return tuple(sorted(wanted))


def implied(roles: Iterable[str]) -> frozenset[str]:
    """Return the roles and all that they mean; names that are no role here mean nothing."""
    found: set[str] = set()
    pending = [role for role in roles if role in ROLES]
    while pending:
        role = pending.pop()
        if role not in found:
            found.add(role)
            pending += _TABLE[role].get("means", ())
    return frozenset(found)


def narrowed(roles: Iterable[str], asked: str) -> tuple[tuple[str, ...], str]:
    """Return what a token may carry: roles, and scopes as OAuth writes them.

    Args:
        roles: those that the operator was given.
        asked: scopes with blanks between them; empty, all that there are.

    Raises:
        InvalidArgument: SCOPE_REFUSED, one of them is none that the roles give.
    """
    held = implied(roles)
    scopes = frozenset(scope for role in held for scope in _TABLE[role].get("scopes", ()))
    wanted = frozenset(asked.split())
    if not wanted:
        return tuple(sorted(held)), " ".join(sorted(scopes))
    if not wanted <= scopes:
        raise InvalidArgument("SCOPE_REFUSED", "A scope is asked for that the roles do not give.")
    # A narrowed token carries only what its scopes stand for: names that imply more stay out.
    kept = (role for role in held if wanted.intersection(_TABLE[role].get("scopes", ())))
    return tuple(sorted(kept)), " ".join(sorted(wanted))
