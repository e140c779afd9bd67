"""Pods log in with what their orchestrator signs: to a real server, with real tokens."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from services.common.config import VaultConfig
from services.common.errors import PermissionDenied
from services.common.vault import VaultClient, VaultLoginRefused
from tests.fakes import orchestrator, vaults
from tests.fakes.orchestrator import Orchestrator
from tests.fakes.servers import VaultServer
from vault.bootstrap import changes, layout
from vault.bootstrap.client import connect, read
from vault.bootstrap.layout import LayoutError
from vault.bootstrap.logins import load_cluster

pytestmark = [pytest.mark.integration, pytest.mark.vault]

JWT = """
kind = "jwt"
audience = "vault"
issuer = "https://orchestrator.example"
public_key_file = "{key}"
subject = "system:serviceaccount:idmesh:{{service}}"
"""
KUBERNETES = """
kind = "kubernetes"
audience = "vault"
host = "{host}"
ca_file = "{ca}"
namespace = "idmesh"
service_account = "{{service}}"
"""


@pytest.fixture(scope="module")
def pods() -> Orchestrator:
    return Orchestrator()


@pytest.fixture
def server(vault_server: VaultServer, pods: Orchestrator, tmp_path: Path) -> VaultServer:
    """Bootstrapped for a cluster whose signing key it was given."""
    vaults.bootstrap(vault_server)
    (tmp_path / "signer.pem").write_text(pods.public_key_pem)
    file = tmp_path / "cluster.toml"
    file.write_text(JWT.format(key=tmp_path / "signer.pem"))
    client = connect(vault_server.address, vault_server.root_token)
    cluster = load_cluster(file)
    list(changes.mend(changes.compare(client, layout.load(), cluster=cluster)))
    assert changes.compare(client, layout.load(), cluster=cluster).changes == []
    return vault_server


def config(server: VaultServer, service: str, token: str, file: Path) -> VaultConfig:
    file.write_text(token)
    return VaultConfig(
        address=server.address,
        login="jwt",
        login_role=service,
        token_file=str(file),
        pki_role=f"core/pki/{service}",
    )


async def test_a_pod_logs_in_as_its_service_and_can_do_its_verbs_alone(
    server: VaultServer, pods: Orchestrator, tmp_path: Path
) -> None:
    ours = config(server, "identity", pods.token("identity"), tmp_path / "token")
    async with VaultClient(ours) as client:
        assert len(await client.hmac("core/transit/uin-lookup", [b"x"])) == 1
        with pytest.raises(PermissionDenied):
            await client.hmac("core/transit/operator", [b"x"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"account": "abis"},
        {"namespace": "other"},
        {"audience": "https://kubernetes.default.svc"},
        {"issuer": "https://elsewhere.example"},
        {"life_s": -600.0},
        {"algorithm": "none"},
        {"algorithm": "RS256"},
    ],
    ids=lambda wrong: "-".join(map(str, *wrong.items())),
)
async def test_a_token_of_another_account_audience_issuer_time_or_algorithm_is_refused(
    server: VaultServer, pods: Orchestrator, tmp_path: Path, wrong: dict[str, str]
) -> None:
    token = pods.token(**({"account": "identity"} | wrong))  # type: ignore[arg-type]
    with pytest.raises(VaultLoginRefused) as refused:
        await VaultClient(config(server, "identity", token, tmp_path / "token")).open()
    assert refused.value.reason == "VAULT_LOGIN_REFUSED"


async def test_a_token_signed_by_another_cluster_or_missing_is_refused(
    server: VaultServer, tmp_path: Path
) -> None:
    foreign = Orchestrator().token("identity")
    with pytest.raises(VaultLoginRefused):
        await VaultClient(config(server, "identity", foreign, tmp_path / "token")).open()
    ours = config(server, "identity", "", tmp_path / "token")
    Path(ours.token_file).unlink()
    with pytest.raises(VaultLoginRefused):
        await VaultClient(ours).open()


async def test_the_file_is_read_anew_when_the_login_has_to_be_made_again(
    server: VaultServer, pods: Orchestrator, tmp_path: Path
) -> None:
    ours = config(server, "identity", pods.token("identity", life_s=2.0), tmp_path / "token")
    async with VaultClient(ours) as client:
        await asyncio.sleep(2.1)  # the first token has ended; the orchestrator has written another
        Path(ours.token_file).write_text(pods.token("identity"))
        server.call("POST", "sys/leases/revoke-prefix/auth/jwt/login", {})
        outcomes = await asyncio.gather(
            *(client.hmac("core/transit/uin-lookup", [b"x"]) for _ in range(5))
        )
        assert len(outcomes) == 5


async def test_a_token_whose_last_day_has_come_is_replaced_by_a_new_login(
    server: VaultServer, pods: Orchestrator, tmp_path: Path
) -> None:
    role = server.call("GET", "auth/jwt/role/audit")["data"]
    server.call("POST", "auth/jwt/role/audit", role | {"token_ttl": 2, "token_max_ttl": 3})
    ours = config(server, "audit", pods.token("audit"), tmp_path / "token")
    async with VaultClient(ours) as client:
        for _ in range(25):
            assert await client.public_keys("core/transit/audit-checkpoint")
            await asyncio.sleep(0.2)


async def test_kubernetes_is_asked_who_the_token_is_of(
    server: VaultServer, pods: Orchestrator, tmp_path: Path
) -> None:
    good, other = pods.token("identity"), pods.token("abis")
    accounts = {good: ("idmesh", "identity"), other: ("idmesh", "abis")}
    with orchestrator.token_review(tmp_path, accounts) as (host, ca):
        file = tmp_path / "cluster.toml"
        file.write_text(KUBERNETES.format(host=host, ca=ca))
        admin = connect(server.address, server.root_token)
        cluster = load_cluster(file)
        list(changes.mend(changes.compare(admin, layout.load(), cluster=cluster)))
        assert changes.compare(admin, layout.load(), cluster=cluster).changes == []
        role = read(admin, "auth/kubernetes/role/identity") or {}
        assert role["bound_service_account_names"] == ["identity"]
        ours = dataclasses.replace(
            config(server, "identity", good, tmp_path / "token"), login="kubernetes"
        )
        async with VaultClient(ours) as client:
            assert len(await client.hmac("core/transit/uin-lookup", [b"x"])) == 1
        for token in (other, pods.token("identity", namespace="elsewhere")):
            Path(ours.token_file).write_text(token)
            with pytest.raises(VaultLoginRefused):
                await VaultClient(ours).open()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('audience = "vault"', 'audience = ""', "audience must be set"),
        ("idmesh:{service}", "idmesh:*", "subject must hold"),
        ("idmesh:{service}", "{service}*", "subject must hold"),
        ('public_key_file = "/k"', "", "set one of public_key_file"),
        ('issuer = "h', 'jwks_url = "http://j"\nissuer = "h', "set one of public_key_file"),
        ('kind = "jwt"', 'kind = "token"', "kind is jwt or kubernetes"),
        ('kind = "jwt"', 'kind = "kubernetes"', "host and namespace must be set"),
        ('kind = "jwt"', 'kind = "jwt"\ncolour = "red"', "colour"),
    ],
)
def test_a_cluster_that_would_let_anybody_in_is_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = JWT.format(key="/k")
    assert old in text
    file = tmp_path / "cluster.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(LayoutError, match=message):
        load_cluster(file)
