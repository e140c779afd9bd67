"""What lies under a key of Vault is declared beside its store: rotation looks after it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from services.common.rotation import Column, Remedy
from services.local.keys.keepers import SERVICES
from vault.bootstrap import layout

TREE = Path(__file__).parents[3]
STORES = sorted(path.parent for path in TREE.glob("services/*/store/migrations"))
# By these names columns are called that hold something sealed, wrapped or keyed.
KEYED = re.compile(
    r"sealed|wrapped|cipher|lookup_key$|published_key$|secret|(^|_)(mac|hash|digest)$"
)
# Keyed by its name alone.
PLAIN = {
    "abis.request.digest": "SHA-256 of what was asked",
    "abis.message.digest": "SHA-256 of what was asked",
    "authentication.auth_transaction.body_hash": "SHA-256 of what the partner sent",
    "authentication.replay.body_hash": "SHA-256 of what the partner sent",
    "audit.record.leaf_hash": "of the Merkle tree",
    "access.operator.wrong_secrets": "a count",
}
TABLE = re.compile(r"create table (?P<name>\w+) \((?P<body>.*?)\n\);", re.DOTALL)
COLUMN = re.compile(r"^ {4}(?P<name>[a-z_]+)\s+(?P<type>bytea|text)\b", re.MULTILINE)
ADDED = re.compile(r"alter table (?P<table>\w+) add column (?P<name>\w+) (?P<type>bytea|text)\b")


def migrations_of(store: Path) -> str:
    return "\n".join(file.read_text() for file in sorted(store.glob("migrations/*.sql")))


def keyed_columns(store: Path) -> list[str]:
    text = migrations_of(store)
    found = [
        (table["name"], column["name"])
        for table in TABLE.finditer(text)
        for column in COLUMN.finditer(table["body"])
    ]
    found += [(added["table"], added["name"]) for added in ADDED.finditer(text)]
    return [f"{table}.{name}" for table, name in found if KEYED.search(name)]


def declared(store: Path) -> tuple[Sequence[Column], Mapping[str, str]]:
    if not (store / "holdings.py").exists():
        return (), {}
    module = importlib.import_module(f"services.{store.parent.name}.store.holdings")
    more = [each for each in vars(module).values() if isinstance(each, Column)]
    return (*module.COLUMNS, *more), module.NOT_NEEDED


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.parent.name)
def test_every_column_under_a_key_is_declared(store: Path) -> None:
    columns, not_needed = declared(store)
    service = store.parent.name
    known = {column.name for column in columns} | set(not_needed)
    missing = [
        name
        for name in keyed_columns(store)
        if name not in known and f"{service}.{name}" not in PLAIN
    ]
    assert missing == [], f"declare them in services/{service}/store/holdings.py"


def test_the_look_finds_columns_of_every_kind() -> None:
    found = {name for store in STORES for name in keyed_columns(store)}
    assert {"identity.sealed_record", "psut.sealed", "otp.mac", "api_key.hash"} <= found
    assert {"demographic_key.sealed_input", "vid.previous_published_key"} <= found


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.parent.name)
def test_what_is_old_is_found_by_an_index(store: Path) -> None:
    flat = re.sub(r"\s+", " ", migrations_of(store))
    for column in declared(store)[0]:
        if column.remedy is Remedy.EXPIRES:
            continue  # few rows, for minutes
        key = column.version_column or f"{column.form.value}_key_version({column.column})"
        assert f"on {column.table} ({key})" in flat, column.name


@pytest.mark.parametrize("store", STORES, ids=lambda store: store.parent.name)
def test_a_service_has_the_rights_that_its_rotation_takes(store: Path) -> None:
    service = store.parent.name
    keys = {key.name: key for key in layout.load().keys}
    for column in declared(store)[0]:
        verbs = set(keys[column.key].use[service])
        assert column.remedy in (Remedy.EXPIRES, Remedy.WHEN_USED, Remedy.NONE) or "read" in verbs
        if column.remedy is Remedy.REWRAPPED:
            assert "rewrap" in verbs, column.name
        if column.remedy is Remedy.RECOMPUTED:
            assert "hmac" in verbs, column.name
            assert "decrypt" in keys[column.plain_key].use[service], column.name


def test_the_keyboard_asks_all_that_keep_something() -> None:
    assert sorted(SERVICES) == [
        store.parent.name for store in STORES if (store / "holdings.py").exists()
    ]
    for service in SERVICES:
        wiring = (TREE / "services" / service / "wiring.py").read_text()
        assert "member.serve_keys(" in wiring, service


def test_every_key_that_holds_data_is_looked_after_by_somebody() -> None:
    held = {column.key for store in STORES for column in declared(store)[0]}
    text = "".join(
        (store / "holdings.py").read_text() for store in STORES if (store / "holdings.py").exists()
    )
    for key in layout.load().keys:
        verbs = {verb for verbs in key.use.values() for verb in verbs}
        if verbs & {"sign"} or key.name in held or f'"{key.name}"' in text:
            continue
        # Named by the module or the configuration that hands it to a holding.
        assert key.name in {
            "ida/transit/partner-envelope",
            "ida/transit/fir-envelope",
            "core/transit/abis-share",
            "core/transit/audit-personal",
        }, key.name
