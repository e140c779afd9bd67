"""Configuration: TOML into frozen dataclasses, nothing coerced, nothing unknown let through.

A wrong key or value names the file and the whole key path and never shows the value, which
may be a secret in the wrong place. Secrets themselves stay in files of their own (`*_file`).
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import GenericAlias, MappingProxyType
from typing import Any, TypeVar, cast

import cattrs
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError

T = TypeVar("T")

MAX_SECRET_BYTES = 64 * 1024


class ConfigError(Exception):
    """The configuration cannot be used; the message says which key of which file and why."""


@dataclass(frozen=True, kw_only=True)
class TlsConfig:
    """Where a service's certificates lie.

    folder holds NAME/SERIAL/{key,chain,ca}.pem and the link NAME/current. An empty ca_file
    means the ca.pem beside the current certificate. ttl_s is the life asked for.
    """

    folder: str
    trust_domain: str = "idmesh.local"
    ca_file: str = ""
    ttl_s: int = 86_400


@dataclass(frozen=True, kw_only=True)
class VaultConfig:
    """How a service reaches Vault and logs in; exactly one of address and unix_socket is set.

    standby_addresses are of the other nodes of its cluster, asked when the first fails or is late.
    login "approle": role_id and secret_id_file, which holds a wrapped secret id that works once.
    login "jwt" or "kubernetes": login_role and token_file, the token with which an orchestrator
    vouches for the service (it is read anew at each login); login_mount where it is another.
    """

    address: str = ""
    unix_socket: str = ""
    standby_addresses: tuple[str, ...] = ()
    login: typing.Literal["approle", "jwt", "kubernetes"] = "approle"
    role_id: str = ""
    secret_id_file: str = ""
    login_role: str = ""
    login_mount: str = ""
    token_file: str = ""
    pki_role: str

    def __post_init__(self) -> None:
        if bool(self.address) == bool(self.unix_socket):
            raise ValueError("exactly one of address and unix_socket must be set")
        if self.standby_addresses and not self.address:
            raise ValueError("standby_addresses need an address")
        of_approle = {"role_id": self.role_id, "secret_id_file": self.secret_id_file}
        of_token = {"login_role": self.login_role, "token_file": self.token_file}
        by_approle = self.login == "approle"
        needed, foreign = (of_approle, of_token) if by_approle else (of_token, of_approle)
        foreign = foreign | ({"login_mount": self.login_mount} if by_approle else {})
        for name, value in needed.items():
            if not value:
                raise ValueError(f"{name} must be set for login {self.login!r}")
        for name, value in foreign.items():
            if value:
                raise ValueError(f"{name} has no meaning for login {self.login!r}")
        if "/" in self.login_mount.strip("/") or self.login_mount != self.login_mount.strip("/"):
            raise ValueError("login_mount is the name below auth/, without slashes")


@dataclass(frozen=True, kw_only=True)
class PostgresConfig:
    """A service's own login; host is a name, an address or a folder that holds the socket."""

    host: str
    port: int = 5432
    database: str
    user: str
    password_file: str
    pool_min: int = 1
    pool_max: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.pool_min <= self.pool_max or self.pool_max < 1:
            raise ValueError("pool_min must lie in [0, pool_max] and pool_max be at least 1")


@dataclass(frozen=True, kw_only=True)
class TelemetryConfig:
    """What the process tells about itself; an empty endpoint or listen address means off.

    trace_ratio is the proportion of requests, in [0, 1], traced when nobody before us decided.
    """

    log_level: typing.Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str = ""
    metrics_listen: str = ""
    trace_ratio: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ProcessSection:
    """The process itself: its name in logs and metrics, and how long a drain may take."""

    name: str
    drain_grace_s: float = 20.0


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """What every service has; each subclasses it in its config.py.

    A subclass that needs Vault or Postgres redeclares the field without `| None`. The
    factories (and not plain defaults) are what makes the redeclared field a required one: a
    plain default would live on as a class attribute and be inherited.
    """

    listen: str
    tls: TlsConfig
    peers: Mapping[str, str] = field(default_factory=dict)
    vault: VaultConfig | None = field(default_factory=_nothing)
    postgres: PostgresConfig | None = field(default_factory=_nothing)


@dataclass(frozen=True, kw_only=True)
class ProcessConfig:
    """One file: the process, its telemetry, and one table for each service it runs."""

    process: ProcessSection
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    services: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def load(path: Path | str) -> ProcessConfig:
    """Read a process's file. Its services' tables stay tables until structure() is asked.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or a key or value is wrong.
    """
    try:
        with Path(path).open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    try:
        return structure(ProcessConfig, table, "")
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def structure(cls: type[T], table: Mapping[str, object], where: str = "") -> T:
    """Turn a table into the frozen dataclass cls; where is the table's own key path.

    Raises:
        ConfigError: lists every wrong key and value with its whole key path.
    """
    try:
        return _CONVERTER.structure(table, cls)
    except Exception as error:
        problems = list(_problems(error, where))
        if not problems:
            raise
        raise ConfigError("; ".join(problems)) from None


def read_secret(path: Path | str) -> str:
    """Return the text of a secret file without the white space around it.

    Raises:
        ConfigError: it cannot be read, is empty, no text or too long.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: secret cannot be read: {error.strerror}") from error
    if len(content) > MAX_SECRET_BYTES:
        raise ConfigError(f"{path}: secret is longer than {MAX_SECRET_BYTES} bytes")
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: secret is not UTF-8 text") from None
    if not secret:
        raise ConfigError(f"{path}: secret is empty")
    return secret


class _ValueRefusedError(ValueError):
    """A value of the wrong type, described without the value."""


def _exactly(kind: type[Any], word: str, *also: type[Any]) -> Callable[[object, Any], Any]:
    def hook(value: object, _: Any) -> Any:
        # bool is an int to Python and no number to an operator.
        if type(value) is not kind and type(value) not in also:
            raise _ValueRefusedError(f"must be {word}, is {_toml_word(value)}")
        return kind(value)

    return hook


def _toml_word(value: object) -> str:
    words = {str: "a string", bool: "a boolean", int: "an integer", float: "a float"}
    words |= {list: "an array", dict: "a table"}
    return words.get(type(value), type(value).__name__)


def _structure_path(value: object, _: Any) -> Path:
    if not isinstance(value, str) or not value:
        raise _ValueRefusedError(f"must be a path, is {_toml_word(value)}")
    return Path(value)


def _structure_tuple(value: object, cls: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _ValueRefusedError(f"must be an array, is {_toml_word(value)}")
    element = typing.get_args(cls)[0]
    elements: Any = GenericAlias(list, (element,))
    return tuple(_CONVERTER.structure(value, elements))


def _structure_mapping(value: object, cls: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _ValueRefusedError(f"must be a table, is {_toml_word(value)}")
    value_type = typing.get_args(cls)[1]
    if value_type is object:
        return MappingProxyType(dict(value))
    values: Any = GenericAlias(dict, (str, value_type))
    return MappingProxyType(_CONVERTER.structure(value, values))


def _structure_enum(value: object, cls: type[Enum]) -> Enum:
    try:
        return cls(value)
    except ValueError:
        allowed = ", ".join(repr(member.value) for member in cls)
        raise _ValueRefusedError(f"must be one of {allowed}") from None


def _structure_literal(value: object, cls: Any) -> object:
    allowed = typing.get_args(cls)
    if value not in allowed:
        raise _ValueRefusedError(f"must be one of {', '.join(map(repr, allowed))}")
    return value


def _structure_optional(value: object, cls: Any) -> object:
    inner = next(kind for kind in typing.get_args(cls) if kind is not type(None))
    return None if value is None else _CONVERTER.structure(value, inner)


def _structure_dataclass(cls: Any) -> Callable[[object, Any], Any]:
    generated = cattrs.gen.make_dict_structure_fn(
        cls, _CONVERTER, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True
    )

    def hook(value: object, kind: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _ValueRefusedError(f"must be a table, is {_toml_word(value)}")
        return generated(value, kind)

    return hook


def _is_optional(cls: Any) -> bool:
    arguments = typing.get_args(cls)
    return len(arguments) == 2 and type(None) in arguments


def _is_mapping(cls: Any) -> bool:
    return typing.get_origin(cls) is Mapping


def _is_tuple(cls: Any) -> bool:
    return typing.get_origin(cls) is tuple and typing.get_args(cls)[1:] == (...,)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook(str, _exactly(str, "a string"))
    converter.register_structure_hook(bool, _exactly(bool, "true or false"))
    converter.register_structure_hook(int, _exactly(int, "an integer"))
    converter.register_structure_hook(float, _exactly(float, "a number", int))
    converter.register_structure_hook(Path, _structure_path)
    converter.register_structure_hook_func(
        lambda cls: isinstance(cls, type) and issubclass(cls, Enum), _structure_enum
    )
    converter.register_structure_hook_func(
        lambda cls: cast(object, typing.get_origin(cls)) is typing.Literal, _structure_literal
    )
    converter.register_structure_hook_func(_is_mapping, _structure_mapping)
    converter.register_structure_hook_func(_is_tuple, _structure_tuple)
    converter.register_structure_hook_func(_is_optional, _structure_optional)
    converter.register_structure_hook_factory(
        lambda cls: isinstance(cls, type) and dataclasses.is_dataclass(cls), _structure_dataclass
    )
    return converter


_CONVERTER = _converter()


def _problems(error: BaseException, where: str) -> typing.Iterator[str]:
    """Yield `key path: what is wrong` for everything that cattrs found."""
    if isinstance(error, ClassValidationError):
        located, rest = error.group_exceptions()
        for inner, note in located:
            yield from _problems(inner, f"{where}.{note.name}" if where else note.name)
        for inner in rest:
            yield from _problems(inner, where)
    elif isinstance(error, IterableValidationError):
        elements, rest = error.group_exceptions()
        for inner, index in elements:
            yield from _problems(inner, f"{where}[{index.index!r}]")
        for inner in rest:
            yield from _problems(inner, where)
    elif isinstance(error, ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields):
            yield f"{where}.{key}: unknown key" if where else f"{key}: unknown key"
    elif isinstance(error, KeyError):
        yield f"{where}: required key is missing"
    elif isinstance(error, ValueError):
        yield f"{where or 'file'}: {error}"
