"""Logging in: by a wrapped secret id that works once, or by an orchestrator's token."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.common.config import VaultConfig
from services.common.vault.errors import VaultLoginRefused
from services.common.vault.transport import Answer, Transport


@dataclass(frozen=True)
class Token:
    """What a login gives. Times are of the monotonic clock, in seconds."""

    value: str
    ttl_s: float
    expires_at: float
    renewable: bool


class Login(Protocol):
    """A way to log in."""

    def again_possible(self) -> bool:
        """Whether there is something to log in with."""

    async def login(self, transport: Transport) -> Token:
        """Return a token.

        Raises:
            VaultLoginRefused: what there is to log in with does not do.
            Unavailable: try again.
        """


def login_for(config: VaultConfig) -> Login:
    """The way that the configuration names."""
    return AppRoleLogin(config) if config.login == "approle" else TokenLogin(config)


class TokenLogin:
    """Kubernetes or JWT: the orchestrator writes a token into a file and replaces it in time.

    The file is read at each login, never kept: an orchestrator renews it within the hour.
    """

    def __init__(self, config: VaultConfig) -> None:
        self._path = f"auth/{config.login_mount or config.login}/login"
        self._role = config.login_role
        self._file = Path(config.token_file)

    def again_possible(self) -> bool:
        """Whether there is a token; one may be used again."""
        return bool(self._token())

    async def login(self, transport: Transport) -> Token:
        """Return a token.

        Raises:
            VaultLoginRefused: there is none, it has expired, or it is not for this role.
            Unavailable: try again.
        """
        token = self._token()
        if not token:
            raise VaultLoginRefused("There is no token to log in with.")
        answer = await transport.call("POST", self._path, {"role": self._role, "jwt": token})
        if answer.status != 200:
            raise VaultLoginRefused("The role or the orchestrator's token was refused.")
        return token_from(answer)

    def _token(self) -> str:
        try:
            return self._file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""


class AppRoleLogin:
    """AppRole with a secret id that is delivered wrapped and works once.

    The supervisor writes a fresh wrapping token into the file before each start; a file that
    was rewritten since allows another login.
    """

    def __init__(self, config: VaultConfig) -> None:
        self._role_id = config.role_id
        self._file = Path(config.secret_id_file)
        self._unwrapped = ""
        self._secret_id = ""

    def again_possible(self) -> bool:
        """Whether there is something to log in with that was not used yet."""
        return bool(self._secret_id) or self._wrapped() not in ("", self._unwrapped)

    async def login(self, transport: Transport) -> Token:
        """Return a token.

        Raises:
            VaultLoginRefused: the wrapping token or the secret id was used, or has expired.
            Unavailable: try again; nothing that was used is lost.
        """
        if not self._secret_id:
            await self._unwrap(transport)
        answer = await transport.call_settled(
            "POST",
            "auth/approle/login",
            {"role_id": self._role_id, "secret_id": self._secret_id},
        )
        self._secret_id = ""
        if answer.status != 200:
            raise VaultLoginRefused("The role or its secret id was refused.")
        return token_from(answer)

    async def _unwrap(self, transport: Transport) -> None:
        wrapped = self._wrapped()
        if not wrapped:
            raise VaultLoginRefused("There is no secret id to log in with.")
        answer = await transport.call_settled("POST", "sys/wrapping/unwrap", token=wrapped)
        self._unwrapped = wrapped
        if answer.status != 200:
            raise VaultLoginRefused("The wrapped secret id was used before or has expired.")
        self._secret_id = str(answer.body["data"]["secret_id"])

    def _wrapped(self) -> str:
        try:
            return self._file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""


def token_from(answer: Answer) -> Token:
    """Return the token of a login or a renewal."""
    auth = answer.body["auth"]
    ttl_s = float(auth["lease_duration"])
    return Token(auth["client_token"], ttl_s, time.monotonic() + ttl_s, bool(auth["renewable"]))
