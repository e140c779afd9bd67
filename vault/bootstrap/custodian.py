"""Keys as their custodian sees them: versions, their making and their end; never their use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import hvac
from hvac import exceptions

from vault.bootstrap.client import connect, read, write


class KeyUnknownError(Exception):
    """There is no such key; the message names it."""


@dataclass(frozen=True)
class KeyState:
    """A key in Vault.

    Attributes:
        name: mount and name.
        latest: the newest version.
        oldest: the oldest that may be used; those below are retired.
        sealing_from: the oldest that new things may be made with; 0 for the newest alone.
        trimmed_below: versions below it are gone for good; 0 where none is.
        made_at: when versions were made; a key of the type hmac does not tell.
        rotate_s: how often Vault rotates it by itself; 0 for never.
    """

    name: str
    type: str
    latest: int
    oldest: int
    sealing_from: int
    trimmed_below: int
    rotate_s: int
    made_at: Mapping[int, datetime] = field(default_factory=dict)


class Custodian:
    """Logged in with the policy key-custodian; close revokes the token."""

    def __init__(self, client: hvac.Client) -> None:
        self._client = client

    @classmethod
    def log_in(cls, address: str, role_id: str, wrapped_secret_id: str) -> Self:
        """Unwrap a secret id, which works once, and log in with it."""
        unwrapped = write(connect(address, wrapped_secret_id), "sys/wrapping/unwrap")
        answer = write(
            connect(address),
            "auth/approle/login",
            role_id=role_id,
            secret_id=unwrapped["data"]["secret_id"],
        )
        return cls(connect(address, answer["auth"]["client_token"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        write(self._client, "auth/token/revoke-self")

    def names(self, mount: str) -> Sequence[str]:
        """Return the names of a mount's keys, mount included."""
        try:
            answer = self._client.adapter.list(f"/v1/{mount}/keys")
        except exceptions.InvalidPath:
            return []
        return sorted(f"{mount}/{name}" for name in answer["data"]["keys"])

    def state(self, key: str) -> KeyState:
        """Return a key as it is now.

        Raises:
            KeyUnknownError: there is none.
        """
        found = read(self._client, _path(key))
        if found is None:
            raise KeyUnknownError(key)
        return KeyState(
            name=key,
            type=str(found["type"]),
            latest=int(found["latest_version"]),
            oldest=int(found["min_decryption_version"]),
            sealing_from=int(found["min_encryption_version"]),
            trimmed_below=int(found["min_available_version"]),
            rotate_s=int(found["auto_rotate_period"]),
            made_at={int(n): _instant(each) for n, each in found.get("keys", {}).items()},
        )

    def rotate(self, key: str) -> int:
        """Make a new version; return its number."""
        write(self._client, f"{_path(key)}/rotate")
        return self.state(key).latest

    def stop_sealing_below(self, key: str, version: int) -> None:
        """Let nothing new be made under versions below one; 0 lets all be used again."""
        write(self._client, f"{_path(key)}/config", min_encryption_version=version)

    def retire_below(self, key: str, version: int) -> None:
        """Let versions below one be used for nothing; a lower number takes it back."""
        write(self._client, f"{_path(key)}/config", min_decryption_version=version)

    def trim_below(self, key: str, version: int) -> None:
        """Destroy the versions below one, for good; they must be retired."""
        write(self._client, f"{_path(key)}/trim", min_available_version=version)


def _path(key: str) -> str:
    mount, _, name = key.rpartition("/")
    return f"{mount}/keys/{name}"


def _instant(entry: Any) -> datetime:
    """Return when a version was made: seconds for symmetric keys, a text for the others."""
    if isinstance(entry, Mapping):
        return datetime.fromisoformat(str(entry["creation_time"])).astimezone(UTC)
    return datetime.fromtimestamp(int(entry), UTC)
