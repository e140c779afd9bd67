"""Logging in: a wrapped secret id that works once, then the token's renewal."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

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
