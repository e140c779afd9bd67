"""Compares a server with the layout, and mends what it lacks.

Compared first, all of it; changed only when nothing of ours is there as something else. What is
not in the layout is named and never touched; what is stricter than the layout is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import hvac

from vault.bootstrap.authorities import find_authority, find_revocation, present
from vault.bootstrap.difference import ConflictError, Findings
from vault.bootstrap.keys import find_certificate_role, find_key
from vault.bootstrap.layout import Layout
from vault.bootstrap.logins import Cluster, find_approles, find_cluster_logins, find_policies
from vault.bootstrap.mounts import find_audit, find_mounts, find_quotas
from vault.bootstrap.strangers import find_strangers

Product = Literal["openbao", "vault"]


def compare(
    client: hvac.Client,
    layout: Layout,
    *,
    product: Product = "openbao",
    cluster: Cluster | None = None,
    offline_root: bool = False,
) -> Findings:
    """Look at a server and change nothing.

    Args:
        client: an administrator's; it must be able to read what it is to write.
        layout: what is wanted.
        product: whose server it is; HashiCorp's takes audit devices by API.
        cluster: how services log in that an orchestrator starts; none: by AppRole alone.
        offline_root: the authorities are requested and installed, never made by the server.
    """
    found = Findings()
    find_audit(client, layout, found, product=product)
    find_mounts(client, layout, found)
    for mount in layout.mounts:
        if mount.ca is None:
            continue
        if offline_root and present(client, mount) is None:
            found.drift.append(f"{mount.path}: its CA waits for the offline root's signature")
            find_revocation(client, mount, found)
        else:
            find_authority(client, mount, mount.ca, found)
    for key in layout.keys:
        if not key.made_by:
            find_key(client, key, found)
    for role in layout.certificate_roles:
        find_certificate_role(client, role, layout.trust_domain, found)
    find_policies(client, layout, found)
    find_approles(client, layout, found)
    if cluster is not None:
        find_cluster_logins(client, layout, cluster, found)
    find_quotas(client, layout, found)
    find_strangers(client, layout, found)
    return found


def mend(found: Findings) -> Iterator[str]:
    """Make the changes one by one; yields what was done.

    Raises:
        ConflictError: something of ours is there as something else; nothing was changed.
    """
    if found.conflicts:
        raise ConflictError("; ".join(found.conflicts))
    for change in found.changes:
        change.apply()
        yield change.what


def apply(client: hvac.Client, layout: Layout) -> list[str]:
    """Make one machine's server equal to the layout. Returns what was done; the second time, [].

    Without rate limits: a server answers 500 to whatever comes by a unix socket, which has no
    client address, to a path that has one. On one machine all clients are of one owner.

    Raises:
        ConflictError: something of ours is there as something else; nothing was changed.
    """
    return list(mend(compare(client, replace(layout, quotas=()))))
