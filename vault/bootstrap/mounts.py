"""Engines, login methods, audit devices and quotas: what a server has before it has any key."""

from __future__ import annotations

from typing import Any

import hvac
from hvac import exceptions

from vault.bootstrap.client import read
from vault.bootstrap.difference import Findings
from vault.bootstrap.layout import Layout

MAX_LEASE_S = 630720000
AUDIT_DEVICES = 2  # with one, a disk that is full stops every request


def find_mounts(client: hvac.Client, layout: Layout, found: Findings) -> None:
    """Secrets engines."""
    present = read(client, "sys/mounts") or {}
    for mount in layout.mounts:
        live = present.get(f"{mount.path}/")
        if live is None:
            body: dict[str, Any] = {
                "type": mount.type,
                "description": mount.purpose,
                "config": {"max_lease_ttl": MAX_LEASE_S},
            }
            what = f"mount {mount.type} at {mount.path}"
            found.write(client, what, f"sys/mounts/{mount.path}", body)
        elif live["type"] != mount.type:
            found.conflicts.append(
                f"{mount.path} is a {live['type']} mount, not {mount.type}: move one of them"
            )
        elif live["config"]["max_lease_ttl"] < MAX_LEASE_S and mount.ca is not None:
            body = {"max_lease_ttl": MAX_LEASE_S}
            what = f"let certificates of {mount.path} live as long as its CA says"
            lines = (f"- max_lease_ttl = {live['config']['max_lease_ttl']}",
                     f"+ max_lease_ttl = {MAX_LEASE_S}")  # fmt: skip
            found.write(client, what, f"sys/mounts/{mount.path}/tune", body, lines)


def find_login_method(client: hvac.Client, path: str, kind: str, found: Findings) -> None:
    """One login method."""
    live = (read(client, "sys/auth") or {}).get(f"{path}/")
    if live is None:
        found.write(client, f"enable {kind} logins at {path}", f"sys/auth/{path}", {"type": kind})
    elif live["type"] != kind:
        found.conflicts.append(f"auth/{path} is a {live['type']} method, not {kind}")


def find_audit(client: hvac.Client, layout: Layout, found: Findings, *, product: str) -> None:
    """Audit devices: by API at HashiCorp's; OpenBao takes them from its configuration alone."""
    try:
        present = read(client, "sys/audit") or {}
    except exceptions.Forbidden:
        found.drift.append("sys/audit: this token may not look; two devices are needed")
        return
    if product == "openbao":
        if len(present) < AUDIT_DEVICES:
            found.drift.append(
                f"audit: {len(present)} device(s), {AUDIT_DEVICES} are needed; declare them in the "
                "server's configuration (audit stanzas)"
            )
        return
    for device in layout.audit_devices:
        live = present.get(f"{device.name}/")
        if live is None:
            body: dict[str, Any] = {"type": device.type, "options": dict(device.options)}
            what = f"audit to {device.name} ({device.type})"
            found.write(client, what, f"sys/audit/{device.name}", body)
        elif live["type"] != device.type:
            found.conflicts.append(f"audit/{device.name} is {live['type']}, not {device.type}")
        elif (live.get("options") or {}) | dict(device.options) != live.get("options"):
            found.drift.append(f"audit/{device.name}: other options than here: kept")


def find_quotas(client: hvac.Client, layout: Layout, found: Findings) -> None:
    """Rate limits. One that is stricter than ours is somebody's decision and stays."""
    for quota in layout.quotas:
        path = f"sys/quotas/rate-limit/{quota.name}"
        live = read(client, path)
        body = {"path": quota.path, "rate": quota.rate_per_s, "interval": "1s"}
        if live is None:
            what = f"limit {quota.path} to {quota.rate_per_s:g} requests a second and client"
            found.write(client, what, path, body)
        elif live["path"].rstrip("/") != quota.path.rstrip("/"):
            found.conflicts.append(f"the quota {quota.name} is on {live['path']}, not {quota.path}")
        elif live["rate"] / (live.get("interval") or 1) < quota.rate_per_s:
            found.drift.append(f"{path}: rate is {live['rate']:g}, stricter than here: kept")
        elif live["rate"] / (live.get("interval") or 1) > quota.rate_per_s:
            lines = (f"- rate = {live['rate']:g}", f"+ rate = {quota.rate_per_s:g}")
            found.write(client, f"change {path}: rate", path, body, lines)
