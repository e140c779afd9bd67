"""Calls of the key service: our client and hvac, on one OpenBao, in one run.

What is compared is the work of the client's process: CPU seconds, for the server's are spent by
another. Ours is measured as services use it: on uvloop, many calls under way, those of one kind
sharing requests where the client makes them (all but data keys). Batches, where the caller hands
over many items at once, are compared with hvac's batches.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import click
import uvloop
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.bench.keys import Options, openbao
from services.bench.keys.openbao import MOUNT
from services.bench.keys.rows import Row, best, measure, measure_async, print_header, print_row
from services.common.vault import VaultClient
from vault.bootstrap.client import connect

GOAL: Final = 3.0
_ROUNDS: Final = 3
_BATCH: Final = 100
# A private-key operation takes the server a millisecond: a batch of these is a small one.
_RSA_BATCH: Final = 16
_PAYLOAD: Final = b"0123456789" * 4
_KEYS: Final = {
    "data": "aes256-gcm96",
    "mac": "hmac",
    "envelope": "rsa-2048",
    "signer": "ed25519",
}
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


@dataclass(frozen=True)
class _Operation:
    """One thing that both clients do.

    Attributes:
        name: for the table.
        ours: does it for one item, or for a batch.
        theirs: does it with hvac's client of a thread.
        items: how many at once.
    """

    name: str
    ours: Callable[[VaultClient], Awaitable[object]]
    theirs: Callable[[Any], object]
    items: int = 1


def run(options: Options) -> None:
    """Measure each operation with both clients; print rates and ratios."""
    click.echo("Starting OpenBao ...", err=True)
    with openbao.running() as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(_measure_all(server, options))


async def _measure_all(server: openbao.Server, options: Options) -> None:
    async with VaultClient(server.login()) as ours:
        for name, kind in _KEYS.items():
            await ours.create_key(f"{MOUNT}/{name}", kind)
        singles, batches = await _operations(ours)
        print_header(
            f"Vault: {options.in_flight} calls in flight, hvac in 1 and {options.threads} threads, "
            f"best of {_ROUNDS} rounds; ratio: items per CPU second, to the better of hvac"
        )
        ratios = [await _compare(one, ours, server, options, in_flight=options.in_flight)
                  for one in singles]  # fmt: skip
        async with VaultClient(server.login(over_socket=True)) as near:
            row = await _ours(singles[0], near, options, "ours, unix socket", options.in_flight)
            print_row(row)
        print_header(f"Vault, batches: {_BATCH} items a request, {_RSA_BATCH} of RSA")
        for one in batches:
            await _compare(one, ours, server, options, in_flight=4)
    least = min(ratios)
    met = "met" if least >= GOAL else "missed"
    click.echo(f"\nGoal, at least {GOAL:.0f} times hvac per CPU second: {met} (least {least:.1f})")


async def _operations(client: VaultClient) -> tuple[list[_Operation], list[_Operation]]:
    """Return the operations one by one, and in batches."""
    keys = await client.public_keys(f"{MOUNT}/envelope")
    public = load_pem_public_key(keys.keys[1])
    assert isinstance(public, rsa.RSAPublicKey)
    wrapped = public.encrypt(bytes(32), _OAEP)
    datakey = await client.datakey(f"{MOUNT}/data")
    plain, tagged = _text(_PAYLOAD), "vault:v1:" + _text(wrapped)

    def hmacs(items: int) -> _Operation:
        return _Operation(
            "HMAC",
            lambda ours: ours.hmac(f"{MOUNT}/mac", [_PAYLOAD] * items),
            lambda hvac: _post(hvac, "hmac/mac/sha2-256", "input", plain, items),
            items,
        )

    def unwraps(items: int) -> _Operation:
        return _Operation(
            "RSA-2048 unwrap",
            lambda ours: ours.rsa_decrypt(f"{MOUNT}/envelope", 1, [wrapped] * items),
            lambda hvac: _post(hvac, "decrypt/envelope", "ciphertext", tagged, items),
            items,
        )

    def signs(items: int) -> _Operation:
        return _Operation(
            "Ed25519 sign",
            lambda ours: ours.sign(f"{MOUNT}/signer", [_PAYLOAD] * items, scheme="ed25519"),
            lambda hvac: _post(hvac, "sign/signer", "input", plain, items),
            items,
        )

    def opened(items: int) -> _Operation:
        return _Operation(
            "data key unwrap",
            lambda ours: ours.decrypt(f"{MOUNT}/data", [datakey.wrapped] * items),
            lambda hvac: _post(hvac, "decrypt/data", "ciphertext", datakey.wrapped, items),
            items,
        )

    made = _Operation(
        "data key",
        lambda ours: ours.datakey(f"{MOUNT}/data"),
        lambda hvac: hvac.adapter.post(f"/v1/{MOUNT}/datakey/plaintext/data"),
    )
    singles = [made, opened(1), hmacs(1), signs(1), unwraps(1)]
    return singles, [opened(_BATCH), hmacs(_BATCH), signs(_BATCH), unwraps(_RSA_BATCH)]


async def _compare(
    operation: _Operation,
    ours: VaultClient,
    server: openbao.Server,
    options: Options,
    *,
    in_flight: int,
) -> float:
    """Print both clients' rows, the best of some rounds, in turn; return the ratio."""

    def make_call() -> Callable[[], object]:
        client = connect(server.address, server.root_token)
        return lambda: operation.theirs(client)

    async def theirs(threads: int) -> Row:
        return await asyncio.to_thread(
            measure,
            operation.name,
            f"hvac, {threads} thread{'s' if threads > 1 else ''}",
            make_call,
            seconds=options.seconds,
            threads=threads,
            items=operation.items,
        )

    rounds = [
        (await theirs(1), await theirs(options.threads),
         await _ours(operation, ours, options, "ours", in_flight))
        for _ in range(_ROUNDS)
    ]  # fmt: skip
    alone, threaded, row = (best(rows) for rows in zip(*rounds, strict=True))
    peer = best((alone, threaded))
    print_row(alone)
    print_row(threaded)
    print_row(row, peer)
    return row.per_cpu_s / peer.per_cpu_s


async def _ours(
    operation: _Operation, client: VaultClient, options: Options, how: str, in_flight: int
) -> Row:
    return await measure_async(
        operation.name,
        how,
        lambda: operation.ours(client),
        seconds=options.seconds,
        in_flight=in_flight,
        items=operation.items,
    )


def _post(client: Any, path: str, field: str, value: str, items: int) -> object:
    """Ask with hvac, for one item or a batch; the shorter way of its two, without its checks."""
    body = {field: value} if items == 1 else {"batch_input": [{field: value}] * items}
    return client.adapter.post(f"/v1/{MOUNT}/{path}", json=body)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
