from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.local import topology
from vault.bootstrap import layout
from vault.bootstrap.layout import KEY_CUSTODIAN

LAYOUT = layout.load()
# What each verb of keys.toml means as paths and capabilities of the transit engine.
PATHS: Mapping[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "read": (("{mount}/keys/{key}", frozenset({"read"})),),
    "encrypt": (("{mount}/encrypt/{key}", frozenset({"update"})),),
    "decrypt": (("{mount}/decrypt/{key}", frozenset({"update"})),),
    "rewrap": (("{mount}/rewrap/{key}", frozenset({"update"})),),
    "hmac": (
        ("{mount}/hmac/{key}", frozenset({"update"})),
        ("{mount}/hmac/{key}/sha2-256", frozenset({"update"})),
    ),
    "sign": (
        ("{mount}/sign/{key}", frozenset({"update"})),
        ("{mount}/sign/{key}/sha2-256", frozenset({"update"})),
    ),
    "csr": (("{mount}/keys/{key}/csr", frozenset({"update"})),),
    "create": (("{mount}/keys/{key}", frozenset({"create", "update"})),),
}
OWN_TOKEN = {
    "auth/token/renew-self": {"update"},
    "auth/token/lookup-self": {"read"},
    "auth/token/revoke-self": {"update"},
}
REVOCATION = {
    "masterdata": {"core/pki-machine/revoke": {"update"}},
    "partner": {
        f"core/pki-{domain}/{verb}": {capability}
        for domain in ("partner", "device", "ftm")
        for verb, capability in (("revoke", "update"), ("crl/rotate", "read"))
    },
}


def granted(policy: str) -> dict[str, set[str]]:
    found = re.findall(r'path "([^"]+)" \{\s*capabilities\s*=\s*\[([^\]]*)\]', policy)
    assert len(found) == policy.count("path "), "a stanza is in no known shape"
    return {path: set(re.findall(r'"(\w+)"', names)) for path, names in found}


def wanted(service: str) -> dict[str, set[str]]:
    paths: dict[str, set[str]] = {path: set(names) for path, names in OWN_TOKEN.items()}
    for key in LAYOUT.keys:
        for verb in key.use.get(service, ()):
            for pattern, capabilities in PATHS[verb]:
                path = pattern.format(mount=key.mount, key=key.short_name)
                paths.setdefault(path, set()).update(capabilities)
    for role in LAYOUT.certificate_roles:
        if service in role.signed_by:
            paths[role.path.replace("/roles/", "/sign/")] = {"update"}
    return paths | REVOCATION.get(service, {})


@pytest.mark.parametrize("service", LAYOUT.services)
def test_a_service_can_do_its_verbs_and_nothing_else(service: str) -> None:
    assert granted(LAYOUT.policies[service]) == wanted(service)


def test_every_service_that_runs_here_has_a_login() -> None:
    assert set(topology.services()) == set(LAYOUT.services)
    assert set(LAYOUT.logins) <= set(LAYOUT.policies)


def test_nobody_may_export_back_up_delete_or_configure_a_key() -> None:
    for name, policy in LAYOUT.policies.items():
        if name == KEY_CUSTODIAN:
            continue
        for path, capabilities in granted(policy).items():
            assert not re.search(r"export|backup|/config|(?<!/crl)/rotate|/trim", path), (
                name,
                path,
            )
            if not path.startswith("sys/generate-root-token"):
                assert not capabilities & {"delete", "sudo", "list"}, (name, path)


def test_the_key_custodian_rotates_and_retires_and_can_use_no_key() -> None:
    policy = LAYOUT.policies[KEY_CUSTODIAN]
    expected: dict[str, set[str]] = {path: set(names) for path, names in OWN_TOKEN.items()}
    for mount in ("core/transit", "ida/transit"):
        expected |= {
            f"{mount}/keys": {"list"},
            f"{mount}/keys/+": {"read"},
            f"{mount}/keys/+/rotate": {"update"},
            f"{mount}/keys/+/config": {"update"},
            f"{mount}/keys/+/trim": {"update"},
        }
    assert granted(policy) == expected
    # Nothing else of a key's configuration: not that it may be exported or deleted.
    limits = re.findall(r"allowed_parameters = \{([^}]*)\}", policy)
    assert [re.findall(r'"(\w+)" = \[\]', each) for each in limits] == [
        ["min_decryption_version", "min_encryption_version"]
    ] * 2


def test_the_supervisor_can_use_no_key_and_only_wrap_what_it_mints() -> None:
    policy = LAYOUT.policies["supervisor"]
    paths = granted(policy)
    assert not [path for path in paths if "transit" in path]
    minted = [path for path in paths if path.startswith("auth/approle/")]
    assert set(minted) == {f"auth/approle/role/{name}/secret-id" for name in LAYOUT.minted}
    assert policy.count("min_wrapping_ttl") == policy.count("max_wrapping_ttl") == len(minted)
    assert {path for path in paths if "/pki" in path} == {
        "core/pki/sign/envoy",
        "core/pki/sign/operator-cli",
    }


def test_the_two_trust_domains_meet_only_where_identity_hands_over() -> None:
    crossing = {
        (service, key.name)
        for key in LAYOUT.keys
        for service in key.use
        if key.name.startswith("ida/") is not (service == "authentication")
    }
    assert crossing == {
        ("identity", "ida/transit/id-lookup"),
        ("identity", "ida/transit/record"),
    }
    handed = next(key for key in LAYOUT.keys if key.name == "ida/transit/record")
    assert handed.use["identity"] == ("read", "encrypt", "rewrap")


def test_a_change_of_the_layout_changes_its_fingerprint(tmp_path: Path) -> None:
    copy = tmp_path / "vault"
    (copy / "policies").mkdir(parents=True)
    for name, text in LAYOUT.policies.items():
        (copy / "policies" / f"{name}.hcl").write_text(text)
    text = (layout.VAULT_FOLDER / "keys.toml").read_text()
    (copy / "keys.toml").write_text(text)
    assert layout.load(copy).fingerprint() == LAYOUT.fingerprint()
    (copy / "keys.toml").write_text(text.replace("rotate_s = 86400", "rotate_s = 43200"))
    assert layout.load(copy).fingerprint() != LAYOUT.fingerprint()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('use = { audit = ["read", "sign"] }', 'use = { nobody = ["sign"] }', "no such service"),
        ('name = "core/transit/uin"', 'name = "core/elsewhere/uin"', "there is no mount"),
        ('purpose = "UIN and VID', 'colour = "red"\npurpose = "UIN and VID', "colour"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    copy = tmp_path / "vault"
    (copy / "policies").mkdir(parents=True)
    for name, policy in LAYOUT.policies.items():
        (copy / "policies" / f"{name}.hcl").write_text(policy)
    text = (layout.VAULT_FOLDER / "keys.toml").read_text()
    assert old in text
    (copy / "keys.toml").write_text(text.replace(old, new))
    with pytest.raises(layout.LayoutError, match=message):
        layout.load(copy)


def test_look_up_keys_do_not_rotate_by_themselves() -> None:
    rows = tomllib.loads((layout.VAULT_FOLDER / "keys.toml").read_text())["key"]
    for row in rows:
        if row["type"] == "hmac" and row["name"] != "ida/transit/otp":
            assert "rotate_s" not in row, row["name"]
