"""What a server lacks compared with the layout, each difference with the call that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import hvac

from vault.bootstrap.client import read, write
from vault.bootstrap.layout import Authority, CertificateRole, Key, Layout, Mount

HMAC_KEY_SIZE = 32
HIDDEN = {"max_lease_ttl": 315360000}


@dataclass(frozen=True)
class Change:
    """One difference: what would be done, and the doing."""

    what: str
    apply: Callable[[], object]


def changes(client: hvac.Client, layout: Layout) -> Iterator[Change]:
    """Yield what is missing or different, in the order in which it can be mended.

    Lazy: a caller that applies each change before it asks for the next one sees the whole list;
    one that only prints sees everything too, for what is not mounted yet counts as absent.
    """
    yield from _mounts(client, layout)
    for mount in layout.mounts:
        if mount.ca is not None:
            yield from _authority(client, mount, mount.ca)
    for key in layout.keys:
        if not key.made_by:
            yield from _key(client, key)
    for role in layout.certificate_roles:
        yield from _certificate_role(client, role, layout.trust_domain)
    yield from _policies(client, layout)
    yield from _logins(client, layout)


def apply(client: hvac.Client, layout: Layout) -> list[str]:
    """Make the server equal to the layout. Returns what was done; empty the second time."""
    done = []
    for change in changes(client, layout):
        change.apply()
        done.append(change.what)
    return done


def _mounts(client: hvac.Client, layout: Layout) -> Iterator[Change]:
    present = read(client, "sys/mounts") or {}
    for mount in layout.mounts:
        found = present.get(f"{mount.path}/")
        if found is None:
            body = {"type": mount.type, "description": mount.purpose, "config": HIDDEN}
            yield _writing(
                client, f"mount {mount.type} at {mount.path}", f"sys/mounts/{mount.path}", body
            )
        elif found["type"] != mount.type:
            raise ValueError(f"{mount.path} is a {found['type']} mount, not {mount.type}")
    if "approle/" not in (read(client, "sys/auth") or {}):
        yield _writing(client, "enable approle logins", "sys/auth/approle", {"type": "approle"})


def _authority(client: hvac.Client, mount: Mount, authority: Authority) -> Iterator[Change]:
    issuers = read(client, f"{mount.path}/config/issuers")
    if not (issuers and issuers.get("default")):
        yield Change(
            f"make the CA of {mount.path}: {authority.common_name}",
            lambda: _make_authority(client, mount, authority),
        )
    if mount.revocable:
        wanted = {"auto_rebuild": True, "auto_rebuild_grace_period": "12h", "expiry": "72h"}
        yield from _difference(client, f"{mount.path}/config/crl", wanted)


def _make_authority(client: hvac.Client, mount: Mount, authority: Authority) -> None:
    body = {
        "common_name": authority.common_name,
        "key_type": authority.key_type,
        "key_bits": authority.key_bits,
        "ttl": f"{authority.ttl_s}s",
    }
    if not authority.parent:
        write(client, f"{mount.path}/root/generate/internal", **body, issuer_name="root")
        return
    request = write(client, f"{mount.path}/intermediate/generate/internal", **body)
    signed = write(
        client,
        f"{authority.parent}/root/sign-intermediate",
        csr=request["data"]["csr"],
        common_name=authority.common_name,
        max_path_length=0,
        ttl=f"{authority.ttl_s}s",
        format="pem_bundle",
    )
    write(
        client, f"{mount.path}/intermediate/set-signed", certificate=signed["data"]["certificate"]
    )


def _key(client: hvac.Client, key: Key) -> Iterator[Change]:
    path = f"{key.mount}/keys/{key.short_name}"
    found = read(client, path)
    if found is None:
        body: dict[str, Any] = {
            "type": key.type,
            "derived": key.derived,
            "exportable": False,
            "allow_plaintext_backup": False,
            "auto_rotate_period": f"{key.rotate_s}s",
        }
        if key.type == "hmac":
            body["key_size"] = HMAC_KEY_SIZE
        yield _writing(client, f"make the key {key.name} ({key.type})", path, body)
        return
    if found["type"] != key.type or found.get("derived", False) != key.derived:
        raise ValueError(f"{key.name} is {found['type']}, not {key.type}: keys are never replaced")
    if found["auto_rotate_period"] != key.rotate_s:
        body = {"auto_rotate_period": f"{key.rotate_s}s"}
        yield _writing(client, f"rotate {key.name} every {key.rotate_s} s", f"{path}/config", body)


def _certificate_role(
    client: hvac.Client, role: CertificateRole, trust_domain: str
) -> Iterator[Change]:
    wanted: dict[str, Any] = {
        "ttl": role.ttl_s,
        "max_ttl": role.ttl_s,
        "key_type": role.key_type,
        "key_usage": list(role.key_usage),
        "no_store": not role.stored,
        "require_cn": False,
        "not_before_duration": 30,
        "allow_wildcard_certificates": False,
        "allow_subdomains": False,
    }
    if role.spiffe:
        wanted |= {
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
            "use_csr_sans": False,
            "use_csr_common_name": True,
            "server_flag": False,
            "client_flag": False,
        }
    yield from _difference(client, role.path, wanted)


def _policies(client: hvac.Client, layout: Layout) -> Iterator[Change]:
    for name in layout.logins:
        wanted = layout.policies[name]
        found = read(client, f"sys/policies/acl/{name}") or {}
        if found.get("policy") != wanted:
            yield _writing(
                client, f"write the policy {name}", f"sys/policies/acl/{name}", {"policy": wanted}
            )


def _logins(client: hvac.Client, layout: Layout) -> Iterator[Change]:
    for name in layout.logins:
        lasting = name == "supervisor"
        wanted = {
            "token_policies": [name],
            "token_no_default_policy": True,
            "token_period": layout.token_period_s,
            "token_type": "service",
            "bind_secret_id": True,
            "secret_id_num_uses": 0 if lasting else 1,
            "secret_id_ttl": 0 if lasting else layout.secret_id_ttl_s,
        }
        yield from _difference(client, f"auth/approle/role/{name}", wanted)


def _difference(client: hvac.Client, path: str, wanted: Mapping[str, Any]) -> Iterator[Change]:
    found = read(client, path)
    if found is None:
        yield _writing(client, f"write {path}", path, wanted)
        return
    differing = [name for name, value in wanted.items() if found.get(name) != value]
    if differing:
        yield _writing(client, f"change {path}: {', '.join(differing)}", path, wanted)


def _writing(client: hvac.Client, what: str, path: str, body: Mapping[str, Any]) -> Change:
    return Change(what, lambda: write(client, path, **body))
