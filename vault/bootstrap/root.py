"""Root tokens: the first one, and later ones by recovery key; each lives for one bootstrap."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass

from hvac import exceptions

from vault.bootstrap.client import connect, read, write

ACTIVE_WAIT_S = 60.0


class QuorumError(Exception):
    """Fewer shares than it takes."""


@dataclass(frozen=True)
class FirstSecrets:
    """What a new server says once and never again: the root token and one share per holder."""

    root_token: str
    shares: tuple[str, ...]


def is_initialised(address: str) -> bool:
    """Whether the server holds a store already."""
    return bool(connect(address).adapter.get("/v1/sys/init")["initialized"])


def initialise(
    address: str, *, shares: int = 1, threshold: int = 1, opens_itself: bool = True
) -> FirstSecrets:
    """Initialise a server; of its shares as many as the threshold act together.

    Args:
        address: of a server without a store.
        shares: how many people hold one; on one machine, one.
        threshold: how many of them it takes.
        opens_itself: its seal does (static, HSM, cloud): the shares recover. Otherwise (Shamir)
            they unseal.
    """
    prefix = "recovery" if opens_itself else "secret"
    body = {f"{prefix}_shares": shares, f"{prefix}_threshold": threshold}
    answer = write(connect(address), "sys/init", **body)
    given = answer["recovery_keys_base64" if opens_itself else "keys_base64"]
    return FirstSecrets(answer["root_token"], tuple(given))


def unseal(address: str, shares: Sequence[str]) -> bool:
    """Give a sealed server its shares. Returns whether it is open."""
    sealed = True
    for share in shares:
        sealed = bool(write(connect(address), "sys/unseal", key=share)["sealed"])
    return not sealed


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


def regenerate(address: str, token: str, shares: Sequence[str], *, product: str = "openbao") -> str:
    """Return a new root token. It takes a login that may ask, and a quorum of the shares.

    HashiCorp's server takes the shares from anybody; OpenBao wants the login too.

    Raises:
        exceptions.VaultError: a share or the login is wrong.
        QuorumError: the shares are too few. What was given is forgotten.
    """
    path = "sys/generate-root-token" if product == "openbao" else "sys/generate-root"
    client = connect(address, token if product == "openbao" else "")
    # An attempt that a crash left behind would be refused as "in progress": start from none.
    client.adapter.delete(f"/v1/{path}/attempt")
    attempt = _data(write(client, f"{path}/attempt"))
    answer: dict[str, str] = {}
    try:
        for share in shares:
            body = {"key": share, "nonce": attempt["nonce"]}
            answer = _data(write(client, f"{path}/update", **body))
            if answer.get("encoded_token"):
                break
        else:
            raise QuorumError(f"{len(shares)} of {attempt['required']} shares: too few")
    except BaseException:
        client.adapter.delete(f"/v1/{path}/attempt")
        raise
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
