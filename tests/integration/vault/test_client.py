"""The client against the real server: logins, limits, what happens when the server goes away."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.common.errors import InvalidArgument, PermissionDenied, Unavailable
from services.common.vault import VaultClient, VaultLimits, VaultLoginRefused
from tests.conftest import MakeVaultClient
from tests.fakes import servers, vaults
from tests.fakes.servers import VaultServer

pytestmark = [pytest.mark.integration, pytest.mark.vault]

KEY = "contract/transit/lookup"
RULES = ("contract/transit/* create update read",)


@pytest.fixture
def server(vault_server: VaultServer) -> VaultServer:
    vaults.mount(vault_server, "contract/transit", "transit")
    vaults.role(vault_server, "client", *RULES)
    return vault_server


@pytest.fixture
async def client(server: VaultServer) -> AsyncIterator[VaultClient]:
    async with VaultClient(vaults.login(server, "client")) as opened:
        await opened.create_key(KEY, "hmac")
        yield opened


@pytest.fixture
def own_server() -> Iterator[VaultServer]:
    """A server of the test's own, to be sealed and killed."""
    server = servers.start_vault()
    vaults.mount(server, "contract/transit", "transit")
    vaults.role(server, "client", *RULES)
    yield server
    servers.stop(server.process, signal.SIGTERM)


def _requests(server: VaultServer, path: str) -> int:
    lines = (server.folder / "audit.log").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return sum(entry["type"] == "request" and entry["request"]["path"] == path for entry in entries)


async def test_concurrent_calls_share_requests(server: VaultServer, client: VaultClient) -> None:
    path = f"{KEY.replace('/lookup', '')}/hmac/lookup/sha2-256"
    before = _requests(server, path)
    inputs = [str(number).encode() for number in range(500)]
    singly = await asyncio.gather(*(client.hmac(KEY, [each]) for each in inputs))
    assert _requests(server, path) - before == 2
    assert [mac for [mac] in singly] == await client.hmac(KEY, inputs)


async def test_calls_that_arrive_meanwhile_wait_for_a_place_and_share_it(
    server: VaultServer, client: VaultClient
) -> None:
    path = "contract/transit/hmac/lookup/sha2-256"
    before = _requests(server, path)

    async def caller(number: int) -> None:
        await asyncio.sleep(number * 0.0002)
        await client.hmac(KEY, [str(number).encode()])

    await asyncio.gather(*(caller(number) for number in range(400)))
    assert _requests(server, path) - before < 200


async def test_a_caller_that_goes_away_does_not_disturb_the_others(client: VaultClient) -> None:
    leaving = asyncio.create_task(client.hmac(KEY, [b"leaving"]))
    staying = asyncio.create_task(client.hmac(KEY, [b"staying"]))
    await asyncio.sleep(0)
    leaving.cancel()
    assert len(await staying) == 1


async def test_made_up_ciphertexts_do_not_open_the_breaker(client: VaultClient) -> None:
    await client.create_key("contract/transit/rsa", "rsa-2048")
    for _ in range(20):
        with pytest.raises(InvalidArgument):
            await client.rsa_decrypt("contract/transit/rsa", 1, [b"\x01" * 256])
    assert len(await client.hmac(KEY, [b"x"])) == 1


async def test_the_unix_socket_works_too(server: VaultServer) -> None:
    config = vaults.login(server, "client", unix=True)
    async with VaultClient(config) as client:
        await client.create_key(KEY, "hmac")
        assert len(await client.hmac(KEY, [b"x"])) == 1


async def test_what_the_policy_forbids_is_forbidden_and_the_login_stays(
    client: VaultClient,
) -> None:
    with pytest.raises(PermissionDenied) as refused:
        await client.hmac("elsewhere/transit/key", [b"x"])
    assert refused.value.reason == "VAULT_FORBIDDEN"
    assert len(await client.hmac(KEY, [b"x"])) == 1


async def test_a_secret_id_works_once(server: VaultServer) -> None:
    config = vaults.login(server, "client")
    async with VaultClient(config):
        pass
    with pytest.raises(VaultLoginRefused) as refused:
        await VaultClient(config).open()
    assert refused.value.reason == "VAULT_LOGIN_REFUSED"


async def test_a_missing_secret_id_is_refused(server: VaultServer) -> None:
    config = vaults.login(server, "client")
    Path(config.secret_id_file).unlink()
    with pytest.raises(VaultLoginRefused):
        await VaultClient(config).open()


async def test_a_revoked_token_ends_the_process(server: VaultServer) -> None:
    async with VaultClient(vaults.login(server, "client")) as client:
        running = asyncio.create_task(client.run())
        await client.create_key(KEY, "hmac")
        _revoke_all(server)
        with pytest.raises(VaultLoginRefused):
            await client.hmac(KEY, [b"x"])
        with pytest.raises(VaultLoginRefused):
            await running
        with pytest.raises(VaultLoginRefused):
            await client.hmac(KEY, [b"y"])


async def test_a_new_secret_id_in_the_file_saves_the_login(server: VaultServer) -> None:
    config = vaults.login(server, "client")
    async with VaultClient(config) as client:
        await client.create_key(KEY, "hmac")
        vaults.mint(server, "client", Path(config.secret_id_file))
        _revoke_all(server)
        outcomes = await asyncio.gather(*(client.hmac(KEY, [b"x"]) for _ in range(5)))
        assert len(outcomes) == 5


async def test_the_token_is_renewed_at_half_life(server: VaultServer) -> None:
    vaults.role(server, "brief", *RULES, period_s=2)
    async with VaultClient(vaults.login(server, "brief")) as client:
        await client.create_key(KEY, "hmac")
        await asyncio.sleep(5)
        assert len(await client.hmac(KEY, [b"x"])) == 1


async def test_a_token_that_cannot_live_longer_ends_the_process_in_time(
    server: VaultServer,
) -> None:
    vaults.role(server, "mortal", *RULES, max_s=3)
    async with VaultClient(vaults.login(server, "mortal")) as client:
        async with asyncio.timeout(10):
            with pytest.raises(VaultLoginRefused):
                await client.run()


async def test_a_sealed_server_is_unavailable_and_says_so(own_server: VaultServer) -> None:
    async with VaultClient(vaults.login(own_server, "client")) as client:
        await client.create_key(KEY, "hmac")
        own_server.call("POST", "sys/seal")
        for _ in range(10):
            with pytest.raises(Unavailable) as refused:
                await client.hmac(KEY, [b"x"])
            assert refused.value.reason == "VAULT_SEALED"
            assert refused.value.retry_after_s


async def test_a_server_that_comes_back_is_used_again_with_the_same_login(
    own_server: VaultServer,
) -> None:
    config = vaults.login(own_server, "client", unix=True)
    limits = VaultLimits(open_s=0.1, open_max_s=0.2)
    async with VaultClient(config, limits=limits) as client:
        await client.create_key(KEY, "hmac")
        before = await client.hmac(KEY, [b"x"])
        own_server.process.kill()
        own_server.process.wait()
        for _ in range(8):
            with pytest.raises(Unavailable) as refused:
                await client.hmac(KEY, [b"x"])
            assert refused.value.reason == "VAULT_UNAVAILABLE"
        assert refused.value.metadata["breaker"] == "open"
        again = servers.run_vault(own_server.folder, token=own_server.root_token)
        try:
            assert await _patiently(client) == before
        finally:
            servers.stop(again.process, signal.SIGTERM)


async def test_a_server_that_hangs_is_unavailable_within_the_time_limit(
    own_server: VaultServer,
) -> None:
    limits = VaultLimits(call_s=0.3, failures_to_open=3)
    async with VaultClient(vaults.login(own_server, "client"), limits=limits) as client:
        await client.create_key(KEY, "hmac")
        own_server.process.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            for _ in range(6):
                with pytest.raises(Unavailable):
                    await client.hmac(KEY, [b"x"])
            # Three wait, then the breaker answers.
            assert time.monotonic() - started < 1.5
        finally:
            own_server.process.send_signal(signal.SIGCONT)


async def test_opening_waits_for_a_server_that_is_not_there_yet(own_server: VaultServer) -> None:
    config = vaults.login(own_server, "client", unix=True)
    own_server.process.kill()
    own_server.process.wait()
    opening = asyncio.create_task(_open_and_close(VaultClient(config)))
    await asyncio.sleep(0.5)
    again = await asyncio.to_thread(
        servers.run_vault, own_server.folder, token=own_server.root_token
    )
    await opening
    servers.stop(again.process, signal.SIGTERM)


async def test_services_log_in_with_their_own_policies(vault_client: MakeVaultClient) -> None:
    identity = await vault_client("identity")
    assert len(await identity.hmac("core/transit/uin-lookup", [b"x"])) == 1
    with pytest.raises(PermissionDenied):
        await identity.hmac("core/transit/operator", [b"x"])


async def test_a_service_gets_its_mesh_certificate_with_a_chain_to_the_root(
    vault_client: MakeVaultClient,
) -> None:
    identity = await vault_client("identity")
    private = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    csr = builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    issued = await identity.sign_csr(
        "core/pki/identity",
        csr,
        uri_sans=["spiffe://idmesh.local/identity"],
        dns_names=["identity.idmesh"],
        ttl_s=3600,
    )
    leaf, between = x509.load_pem_x509_certificates(issued.chain_pem)
    [root] = x509.load_pem_x509_certificates(issued.ca_pem)
    leaf.verify_directly_issued_by(between)
    between.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    with pytest.raises((InvalidArgument, PermissionDenied)):
        await identity.sign_csr(
            "core/pki/identity", csr, uri_sans=["spiffe://idmesh.local/abis"], ttl_s=3600
        )


async def _open_and_close(client: VaultClient) -> None:
    await client.open()
    await client.close()


async def _patiently(client: VaultClient) -> object:
    deadline = time.monotonic() + 10
    while True:
        try:
            return await client.hmac(KEY, [b"x"])
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def _revoke_all(server: VaultServer) -> None:
    server.call("POST", "sys/leases/revoke-prefix/auth/approle/login", {})
