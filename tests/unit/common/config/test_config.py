from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest

from services.common.config import (
    ConfigError,
    PostgresConfig,
    ServiceConfig,
    VaultConfig,
    load,
    read_secret,
    structure,
)

VAULT = {"unix_socket": "/run/bao.sock", "role_id": "r", "secret_id_file": "/s", "pki_role": "p"}
JWT = {"unix_socket": "/b", "login": "jwt", "login_role": "x", "token_file": "/t", "pki_role": "p"}
BASE: dict[str, object] = {"listen": "127.0.0.1:1", "tls": {"folder": "/c"}, "vault": VAULT}


class Mode(Enum):
    FAST = "fast"
    SLOW = "slow"


@dataclass(frozen=True)
class Limit:
    most: int
    ratio: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    vault: VaultConfig
    numbers: tuple[int, ...] = ()
    limits: Mapping[str, Limit] = field(default_factory=dict)
    each: tuple[Limit, ...] = ()
    optional: int | None = None
    mode: Mode = Mode.FAST
    level: Literal["low", "high"] = "low"
    data: Path = Path("/data")
    on: bool = False


def test_a_table_becomes_a_frozen_dataclass() -> None:
    more = {
        "peers": {"abis": "ipv4:127.0.0.1:2"},
        "numbers": [1, 2],
        "limits": {"a": {"most": 3, "ratio": 1}},
        "each": [{"most": 1}],
        "mode": "slow",
        "level": "high",
        "data": "/elsewhere",
        "on": True,
    }
    config = structure(Config, BASE | more, "services.x")
    assert config.tls.trust_domain == "idmesh.local"
    assert config.peers == {"abis": "ipv4:127.0.0.1:2"}
    assert config.numbers == (1, 2)
    assert config.limits == {"a": Limit(3, 1.0)}
    assert type(config.limits["a"].ratio) is float
    assert config.each == (Limit(1),)
    assert (config.mode, config.level, config.data) == (Mode.SLOW, "high", Path("/elsewhere"))
    assert config.postgres is None
    assert config.on


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"extra": 1}, "services.x.extra: unknown key"),
        ({"tls": {"folder": "/c", "extra": 1}}, "services.x.tls.extra: unknown key"),
        ({"tls": {}}, "services.x.tls.folder: required key is missing"),
        ({"tls": 1}, "services.x.tls: must be a table, is an integer"),
        ({"listen": 7005}, "services.x.listen: must be a string, is an integer"),
        ({"optional": "3"}, "services.x.optional: must be an integer, is a string"),
        ({"optional": True}, "services.x.optional: must be an integer, is a boolean"),
        ({"optional": 1.0}, "services.x.optional: must be an integer, is a float"),
        ({"on": 1}, "services.x.on: must be true or false, is an integer"),
        ({"numbers": [1, "2"]}, "services.x.numbers[1]: must be an integer, is a string"),
        ({"numbers": 1}, "services.x.numbers: must be an array, is an integer"),
        ({"peers": {"a": 1}}, "services.x.peers['a']: must be a string, is an integer"),
        ({"each": [{"most": 1, "x": 2}]}, "services.x.each[0].x: unknown key"),
        ({"limits": {"a": {}}}, "services.x.limits['a'].most: required key is missing"),
        ({"mode": "other"}, "services.x.mode: must be one of 'fast', 'slow'"),
        ({"level": "other"}, "services.x.level: must be one of 'low', 'high'"),
        ({"vault": VAULT | {"address": "http://v"}}, "services.x.vault: exactly one of"),
        ({"vault": VAULT | {"role_id": ""}}, "services.x.vault: role_id must be set for login"),
        ({"vault": VAULT | {"token_file": "/t"}}, "services.x.vault: token_file has no meaning"),
        ({"vault": VAULT | {"login_mount": "k"}}, "services.x.vault: login_mount has no meaning"),
        ({"vault": VAULT | {"login": "jwt"}}, "services.x.vault: login_role must be set"),
        ({"vault": JWT | {"token_file": ""}}, "services.x.vault: token_file must be set"),
        ({"vault": JWT | {"secret_id_file": "/s"}}, "services.x.vault: secret_id_file has no"),
        ({"vault": JWT | {"login_mount": "../x"}}, "services.x.vault: login_mount is the name"),
        ({"vault": JWT | {"login": "token"}}, "services.x.vault.login: must be one of"),
    ],
)
def test_what_is_wrong_is_named_by_its_whole_key_path(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        structure(Config, BASE | table, "services.x")


def test_a_redeclared_section_is_required() -> None:
    with pytest.raises(ConfigError, match=r"services\.x\.vault: required key is missing"):
        structure(Config, {"listen": "a", "tls": {"folder": "/c"}}, "services.x")


def test_all_problems_are_told_at_once_and_no_value_is() -> None:
    wrong = {"listen": 1, "tls": {}, "mode": "hunter2", "zz": "hunter2"}
    with pytest.raises(ConfigError) as refused:
        structure(Config, BASE | wrong, "services.x")
    assert str(refused.value).count(";") == 3
    assert "hunter2" not in str(refused.value)


def test_a_pool_that_cannot_be_is_refused() -> None:
    table = {"host": "h", "database": "d", "user": "u", "password_file": "p", "pool_min": 11}
    with pytest.raises(ConfigError, match="pool_min"):
        structure(PostgresConfig, table)


def test_a_file_is_loaded_and_its_services_stay_tables(tmp_path: Path) -> None:
    path = tmp_path / "core.toml"
    path.write_text('[process]\nname = "core"\n[services.x]\nlisten = "a"\n')
    config = load(path)
    assert config.process.name == "core"
    assert config.telemetry.log_level == "info"
    assert config.services == {"x": {"listen": "a"}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[process", "is not TOML"),
        ('[process]\nname = "a"\n[other]\n', "other: unknown key"),
        ('[process]\nname = "a"\ncolour = 1\n', "process.colour: unknown key"),
        ("", "process: required key is missing"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "core.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert str(path) in str(refused.value)
    assert problem in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read"):
        load(tmp_path / "absent.toml")


def test_a_secret_is_read_without_the_line_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    assert read_secret(tmp_path / "secret") == "hunter2"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_a_secret_that_is_none_is_refused_without_showing_it(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_secret(tmp_path / "secret")
    assert "xxx" not in str(refused.value)
    with pytest.raises(ConfigError, match="absent"):
        read_secret(tmp_path / "absent")
