"""Tokens: signed by a key in this process, signed by the key service, verified by a service."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import click
import uvloop

from services.access.domain import signer as signers
from services.access.domain.signer import LocalSigner, SignerRules
from services.access.domain.token import Claims, assemble, signing_input
from services.bench.keys import Options, openbao
from services.bench.keys.openbao import MOUNT
from services.bench.keys.rows import Row, measure, measure_async, print_header, print_row
from services.common.tokens import Issuer, Trust, verify
from services.common.vault import VaultClient

GOAL_PER_CPU_S: Final = 10_000
_ALGORITHM: Final = "ES256"
_KEY: Final = "token-signer"


def run(options: Options) -> None:
    """Measure; print rates, and how many times those of the key service the local ones are."""
    now = datetime.now(UTC)
    signer, claims = signers.make(now, 1, SignerRules()), _claims(now)
    click.echo("Starting OpenBao ...", err=True)
    with openbao.running() as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        by_vault = loop.run(_in_vault(server, signing_input(claims, "vault"), options))
    print_header("Access tokens (ES256), one thread")
    print_row(by_vault)
    signed, issued = _local(signer, claims, options.seconds)
    print_row(signed)
    print_row(issued)
    print_row(_verified(signer, claims, now, options.seconds))
    # By the clock: what the key service spends on a signature is not this process's CPU time.
    click.echo(f"In the process {signed.per_s / by_vault.per_s:.1f} times as many as in Vault.")
    verdict = "reached" if signed.per_cpu_s >= GOAL_PER_CPU_S else "missed"
    click.echo(f"Goal {GOAL_PER_CPU_S:,} local signatures/s/core: {verdict}.")


async def _in_vault(server: openbao.Server, content: bytes, options: Options) -> Row:
    async with VaultClient(server.login()) as client:
        key = f"{MOUNT}/{_KEY}"
        await client.create_key(key, "ecdsa-p256")
        return await measure_async(
            "sign",
            "key service, calls share requests",
            lambda: client.sign(key, [content], scheme="es256"),
            seconds=options.seconds,
            in_flight=options.in_flight,
        )


def _local(signer: LocalSigner, claims: Claims, seconds: float) -> tuple[Row, Row]:
    kid = signer.published.kid
    content = signing_input(claims, kid)

    def issue() -> str:
        signed = signing_input(claims, kid)
        return assemble(signed, signer.sign(signed))

    return (
        measure("sign", "in the process", lambda: lambda: signer.sign(content), seconds=seconds),
        measure("issue", "in the process, JSON and all", lambda: issue, seconds=seconds),
    )


def _verified(signer: LocalSigner, claims: Claims, now: datetime, seconds: float) -> Row:
    signed = signing_input(claims, signer.published.kid)
    token = assemble(signed, signer.sign(signed))
    own = Issuer(
        name="",
        issuer=claims.issuer,
        audience=claims.audience,
        algorithms=frozenset({_ALGORITHM}),
        keys={signer.published.kid: signer.published.key},
    )
    trust = Trust({claims.issuer: own})
    return measure(
        "verify", "as every service does", lambda: lambda: verify(token, trust, now),
        seconds=seconds,
    )  # fmt: skip


def _claims(now: datetime) -> Claims:
    return Claims(
        issuer="https://idmesh.local",
        audience="idmesh",
        operator_id="bench",
        roles=("AUDITOR",),
        scope="audit:read",
        generation=0,
        token_id="00000000-0000-4000-8000-000000000000",  # noqa: S106 - an id
        issued_at=now,
        expires_at=now + timedelta(minutes=15),
    )
