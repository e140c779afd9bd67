"""The access service on real PostgreSQL and OpenBao, over real mTLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from idmesh.access.v1 import access_service_pb2 as pb
from idmesh.access.v1 import access_service_pb2_grpc

from services.access import wiring
from services.access.config import AttemptsConfig, Config, PasswordConfig
from services.common import rpc, telemetry, tokens
from services.common.config import TelemetryConfig, TlsConfig
from services.common.errors import PlatformError, ResourceExhausted, Unauthenticated, Unavailable
from services.common.mosip_wire.jws import parse_compact
from tests.fakes import databases, vaults
from tests.fakes.servers import PostgresServer, VaultServer

pytestmark = [pytest.mark.integration, pytest.mark.vault, pytest.mark.postgres]

# Longer than a process takes to see what another one published, and to tell it.
OVERLAP_S = 2.0


@dataclass
class Running:
    """Access, asked as the operator at the keyboard; a service's own view of tokens."""

    access: Any
    people: Any
    trust: tokens.TokenTrust

    async def client(self, name: str) -> str:
        request = pb.PutOperatorRequest(operator_id=name, roles=["AUDITOR"], active=True)
        return str((await self.access.PutOperator(request)).secret)

    async def token(self, name: str, secret: str) -> str:
        request = pb.IssueTokenRequest(
            grant_type="client_credentials", client_id=name, client_secret=secret
        )
        return str((await self.access.IssueToken(request)).access_token)


@asynccontextmanager
async def served(
    postgres: PostgresServer, vault: VaultServer, folder: Path, *names: str
) -> AsyncIterator[list[Running]]:
    """Run one process of access for each name, all on one database."""
    await asyncio.to_thread(vaults.bootstrap, vault)
    tls = TlsConfig(folder=str(folder / "tls"))
    told = telemetry.setup(TelemetryConfig(log_level="error"), "test")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(databases.database(postgres, "access"))
        name = str(await database.fetchval("select current_database()"))
        await vaults.certificate(vault, tls.folder, "operator-cli")
        running = []
        for _ in names:
            config = Config(
                listen="127.0.0.1:0",
                tls=tls,
                vault=vaults.login(vault, "access"),
                postgres=databases.config_of(postgres, name, "access"),
                signer_overlap_s=OVERLAP_S,
                attempts=AttemptsConfig(free=2, longest_wait_s=30.0),
                # The least that is allowed.
                passwords=PasswordConfig(memory_kib=19_456, iterations=2, lanes=1),
            )
            service = await stack.enter_async_context(wiring.build(config, telemetry=told))
            await service.server.start()
            stack.push_async_callback(service.server.drain, 0.2)
            peers = {"access": f"ipv4:127.0.0.1:{service.server.port}"}
            channels = await stack.enter_async_context(rpc.Channels(peers, tls, "operator-cli"))
            trust = tokens.TokenTrust(tokens.source(channels.get("access")))
            for loop in (*service.background, trust.run):
                task = asyncio.create_task(loop())
                stack.callback(task.cancel)
            access = access_service_pb2_grpc.AccessServiceStub(channels.get("access"))
            people = access_service_pb2_grpc.OperatorServiceStub(channels.get("access"))
            running.append(Running(access, people, trust))
        yield running


async def told(one: Running) -> None:
    """Return once the service's view has been told for the first time."""
    async with asyncio.timeout(5):
        while isinstance(refusal(one, "nonsense"), Unavailable):
            await asyncio.sleep(0.02)


def refusal(one: Running, token: str) -> PlatformError | None:
    try:
        one.trust.verify(token)
    except PlatformError as error:
        return error
    return None


def kid(token: str) -> str:
    return str(parse_compact(token).header["kid"])


async def test_the_certifying_key_is_rotated_and_retired_while_tokens_are_used(
    postgres_server: PostgresServer, vault_server: VaultServer, tmp_path: Path
) -> None:
    async with served(postgres_server, vault_server, tmp_path, "one", "two") as both:
        one, _ = both
        secret = await one.client("reports")
        done, kids, stop = 0, set(), asyncio.Event()

        async def use() -> None:
            nonlocal done
            while not stop.is_set():
                for each in both:
                    token = await each.token("reports", secret)
                    kids.add(kid(token))
                    # Known to who asks the other process, at once: that is what overlaps are for.
                    for judge in both:
                        assert judge.trust.verify(token).operator_id == "reports"
                    done += 1

        for each in both:
            await told(each)
        using = asyncio.create_task(use())
        try:
            await asyncio.sleep(OVERLAP_S + 0.5)
            path = "core/transit/keys/token-signer"
            await asyncio.to_thread(vault_server.call, "POST", f"{path}/rotate", {})
            for each in both:
                answer = await each.access.RenewSigner(pb.RenewSignerRequest())
            version = answer.key_version
            assert version >= 2
            await asyncio.sleep(answer.usable_in_s + 1.0)
            retired = {"min_decryption_version": version, "min_encryption_version": version}
            await asyncio.to_thread(vault_server.call, "POST", f"{path}/config", retired)
            for each in both:
                await each.access.RenewSigner(pb.RenewSignerRequest())
            await asyncio.sleep(1.0)
        finally:
            stop.set()
            await using
            lowest = {"min_decryption_version": 1, "min_encryption_version": 0}
            await asyncio.to_thread(vault_server.call, "POST", f"{path}/config", lowest)
        assert done > 20
        # By the certifying key at first, by signers of both processes, and by their successors.
        assert len(kids) >= 4


async def test_what_is_taken_away_ends_at_every_process_within_seconds(
    postgres_server: PostgresServer, vault_server: VaultServer, tmp_path: Path
) -> None:
    async with served(postgres_server, vault_server, tmp_path, "one", "two") as (one, two):
        secret = await one.client("leaver")
        token = await one.token("leaver", secret)
        for each in (one, two):
            await told(each)
            assert each.trust.verify(token).roles == {"AUDITOR"}
        await one.people.ChangeOperator(
            pb.ChangeOperatorRequest(operator_id="leaver", active=False)
        )
        for each in (one, two):
            async with asyncio.timeout(3):
                while (refused := refusal(each, token)) is None:
                    await asyncio.sleep(0.05)
            assert refused.reason == "OPERATOR_REVOKED"


async def test_a_person_is_hashed_sealed_and_locked_by_the_real_thing(
    postgres_server: PostgresServer, vault_server: VaultServer, tmp_path: Path
) -> None:
    async with served(postgres_server, vault_server, tmp_path, "one") as (one,):
        people = one.people
        made = await people.CreateOperator(pb.CreateOperatorRequest(operator_id="eve"))
        own = "a sentence that she chose"
        await people.ChangePassword(
            pb.ChangePasswordRequest(operator_id="eve", password=made.password, new_password=own)
        )
        uri = (await people.EnrolTotp(pb.EnrolTotpRequest(operator_id="eve", password=own))).uri
        assert uri.startswith("otpauth://totp/")
        wrong = pb.LoginRequest(operator_id="eve", password="a guess")
        outcomes = await asyncio.gather(
            *(people.Login(wrong) for _ in range(6)), return_exceptions=True
        )
        looked_at = [each for each in outcomes if isinstance(each, Unauthenticated)]
        assert len(looked_at) == 3, outcomes
        locked = [each for each in outcomes if isinstance(each, ResourceExhausted)]
        assert {each.reason for each in locked} == {"LOGIN_LOCKED"}
        [listed] = (await people.ListOperators(pb.ListOperatorsRequest())).operators
        assert (listed.locked, listed.has_second_factor) == (True, False)
        await people.UnlockOperator(pb.UnlockOperatorRequest(operator_id="eve"))
        [listed] = (await people.ListOperators(pb.ListOperatorsRequest())).operators
        assert not listed.locked
