"""What lies within our prefixes, or reaches into them, and is not in the layout: named only.

An administrator decides what it is: a key of a later version, a leftover, or an intruder's door.
"""

from __future__ import annotations

import fnmatch
import re

import hvac

from vault.bootstrap.client import names, read
from vault.bootstrap.difference import Findings
from vault.bootstrap.layout import Layout

PREFIXES = ("core/", "ida/")
# Policies every server has.
BUILT_IN = frozenset({"root", "default", "response-wrapping"})
_PATH = re.compile(r'path\s+"([^"]*)"')


def find_strangers(client: hvac.Client, layout: Layout, found: Findings) -> None:
    """Mounts, keys, roles, policies and logins that the layout does not know."""
    ours = {f"{mount.path}/" for mount in layout.mounts}
    for path in sorted(read(client, "sys/mounts") or {}):
        if path.startswith(PREFIXES) and path not in ours:
            found.strangers.append(f"the mount {path.rstrip('/')}")
    _keys(client, layout, found)
    _roles(client, layout, found)
    _policies(client, layout, found)
    for name in names(client, "auth/approle/role"):
        if name in layout.logins:
            continue
        role = read(client, f"auth/approle/role/{name}") or {}
        if held := sorted(set(role.get("token_policies") or ()) & set(layout.policies)):
            found.strangers.append(f"the AppRole {name}, which holds {', '.join(held)}")


def _keys(client: hvac.Client, layout: Layout, found: Findings) -> None:
    patterns = [key.name for key in layout.keys]
    for mount in layout.mounts:
        if mount.type != "transit":
            continue
        for name in names(client, f"{mount.path}/keys"):
            full = f"{mount.path}/{name.rstrip('/')}"
            if not any(fnmatch.fnmatchcase(full, pattern) for pattern in patterns):
                found.strangers.append(f"the key {full}")


def _roles(client: hvac.Client, layout: Layout, found: Findings) -> None:
    ours = {role.path for role in layout.certificate_roles}
    for mount in layout.mounts:
        if mount.type != "pki":
            continue
        for name in names(client, f"{mount.path}/roles"):
            if f"{mount.path}/roles/{name}" not in ours:
                found.strangers.append(f"the certificate role {mount.path}/roles/{name}")


def _policies(client: hvac.Client, layout: Layout, found: Findings) -> None:
    for name in names(client, "sys/policies/acl"):
        if name in layout.policies or name in BUILT_IN:
            continue
        text = str((read(client, f"sys/policies/acl/{name}") or {}).get("policy", ""))
        reached = sorted({path for path in _PATH.findall(text) if _reaches(path)})
        if reached:
            found.strangers.append(f"the policy {name}, which reaches {', '.join(reached)}")


def _reaches(path: str) -> bool:
    """Whether a policy's path can match something below our prefixes."""
    if path.startswith(PREFIXES):
        return True
    first = path.partition("/")[0]
    if "+" in first or first == "*":
        return True
    stem = path.partition("*")[0]
    return "*" in path and any(prefix.startswith(stem) for prefix in PREFIXES)
