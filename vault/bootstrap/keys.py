"""Transit keys and certificate roles."""

from __future__ import annotations

from typing import Any

import hvac

from vault.bootstrap.client import read
from vault.bootstrap.difference import Findings
from vault.bootstrap.layout import CertificateRole, Key

HMAC_KEY_SIZE = 32
# The least of a request's key; of any type: whoever signs has checked it.
KEY_BITS = {"ec": 256, "rsa": 2048, "any": 0}


def find_key(client: hvac.Client, key: Key, found: Findings) -> None:
    """A key that is missing is made; one that is there is never replaced."""
    path = f"{key.mount}/keys/{key.short_name}"
    live = read(client, path)
    if live is None:
        body: dict[str, Any] = {
            "type": key.type,
            "derived": key.derived,
            "exportable": False,
            "allow_plaintext_backup": False,
            "auto_rotate_period": f"{key.rotate_s}s",
        }
        if key.type == "hmac":
            body["key_size"] = HMAC_KEY_SIZE
        found.write(client, f"make the key {key.name} ({key.type})", path, body)
        return
    if live["type"] != key.type or live.get("derived", False) != key.derived:
        derived = "derived " if live.get("derived") else ""
        found.conflicts.append(
            f"{key.name} is {derived}{live['type']}, not {key.type}: keys are never replaced"
        )
        return
    for setting in ("exportable", "allow_plaintext_backup"):
        if live.get(setting):
            found.drift.append(f"{key.name}: {setting}, which nothing can take back")
    config: dict[str, Any] = {}
    lines: list[str] = []
    if live.get("deletion_allowed"):
        config["deletion_allowed"] = False
        lines += ["- deletion_allowed = True", "+ deletion_allowed = False"]
    period = int(live["auto_rotate_period"])
    if period != key.rotate_s and 0 < period < key.rotate_s:
        found.drift.append(
            f"{key.name}: rotates every {period} s, more often than {key.rotate_s} s: kept"
        )
    elif period != key.rotate_s:
        config["auto_rotate_period"] = f"{key.rotate_s}s"
        lines += [f"- auto_rotate_period = {period}", f"+ auto_rotate_period = {key.rotate_s}"]
    if config:
        what = f"change the key {key.name}: {', '.join(config)}"
        found.write(client, what, f"{path}/config", config, tuple(lines))


def find_certificate_role(
    client: hvac.Client, role: CertificateRole, trust_domain: str, found: Findings
) -> None:
    """A role of a PKI mount."""
    wanted: dict[str, Any] = {
        "ttl": role.ttl_s,
        "max_ttl": role.ttl_s,
        "key_type": role.key_type,
        "key_bits": KEY_BITS[role.key_type],
        "key_usage": list(role.key_usage),
        "no_store": not role.stored,
        "require_cn": False,
        "not_before_duration": 30,
        "allow_wildcard_certificates": False,
        "allow_subdomains": False,
        # Defaults, said here because a PATCH would leave what somebody made of them.
        "allow_glob_domains": False,
        "allowed_other_sans": [],
        "basic_constraints_valid_for_non_ca": False,
        "code_signing_flag": False,
        "email_protection_flag": False,
    }
    if role.spiffe:
        wanted |= {
            "allow_any_name": False,
            "enforce_hostnames": True,
            "ext_key_usage": [],
            "ext_key_usage_oids": [],
            "allowed_uri_sans": [f"spiffe://{trust_domain}/{role.spiffe}"],
            "allowed_domains": [f"{role.spiffe}.idmesh", "localhost"],
            "allow_bare_domains": True,
            "allow_localhost": True,
            "allow_ip_sans": role.ip_sans,
            "use_csr_sans": False,
            "use_csr_common_name": False,
            "server_flag": role.server,
            "client_flag": True,
        }
    else:
        wanted |= {
            "allow_any_name": True,
            "enforce_hostnames": False,
            "allowed_uri_sans": [],  # a SPIFFE id is the mesh's alone
            "allow_ip_sans": False,
            "use_csr_sans": False,
            "use_csr_common_name": True,
            "server_flag": False,
            "client_flag": False,
        }
    found.compare(client, role.path, wanted, merge=True)
