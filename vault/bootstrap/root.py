"""Root tokens: the first one, and later ones by recovery key; each lives for one bootstrap."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass

from hvac import exceptions

from vault.bootstrap.client import connect, read, write

ACTIVE_WAIT_S = 60.0


@dataclass(frozen=True)
class FirstSecrets:
    """What a new server says once and never again."""

    root_token: str
    recovery_key: str


def is_initialised(address: str) -> bool:
    """Whether the server holds a store already."""
    return bool(connect(address).adapter.get("/v1/sys/init")["initialized"])


def initialise(address: str) -> FirstSecrets:
    """Initialise a server whose seal opens itself; one recovery share, for one machine."""
    answer = write(connect(address), "sys/init", recovery_shares=1, recovery_threshold=1)
    return FirstSecrets(answer["root_token"], answer["recovery_keys_base64"][0])


def wait_until_active(address: str) -> None:
    """Wait for the server to be unsealed and to have elected itself.

    Raises:
        TimeoutError: it stays sealed or without a leader.
    """
    client = connect(address)
    last = time.monotonic() + ACTIVE_WAIT_S
    while time.monotonic() < last:
        # HEAD tells by status alone: 200 active, 429 standby, 501 not initialised, 503 sealed.
        answer = client.sys.read_health_status(method="HEAD")
        if answer.status_code == 200:
            return
        time.sleep(0.02)
    raise TimeoutError(f"OpenBao at {address} is not active after {ACTIVE_WAIT_S:.0f} s")


def regenerate(address: str, supervisor_token: str, recovery_key: str) -> str:
    """Return a new root token. It takes a login that may ask and the recovery key: two holders.

    Raises:
        exceptions.VaultError: the recovery key or the login is wrong.
    """
    client = connect(address, supervisor_token)
    # An attempt that a crash left behind would be refused as "in progress": start from none.
    client.adapter.delete("/v1/sys/generate-root-token/attempt")
    attempt = _data(write(client, "sys/generate-root-token/attempt"))
    answer = _data(
        write(client, "sys/generate-root-token/update", key=recovery_key, nonce=attempt["nonce"])
    )
    encoded = base64.b64decode(answer["encoded_token"] + "==")
    return bytes(a ^ b for a, b in zip(encoded, attempt["otp"].encode(), strict=True)).decode()


def revoke(address: str, token: str) -> None:
    """End a root token. One that is gone already is fine."""
    try:
        connect(address, token).auth.token.revoke_self()
    except exceptions.Forbidden:
        return


def is_valid(address: str, token: str) -> bool:
    """Whether the token still works."""
    try:
        return read(connect(address, token), "auth/token/lookup-self") is not None
    except exceptions.Forbidden:
        return False


def _data(answer: dict[str, object]) -> dict[str, str]:
    data = answer.get("data") or answer
    assert isinstance(data, dict)
    return data
