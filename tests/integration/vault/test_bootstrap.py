"""The bootstrap against a real server: what it makes, keeps, refuses and names."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hvac import exceptions

from services.cli import cli
from services.common.vault import VaultClient
from services.local.problems import Problem
from tests.fakes import servers, vaults
from tests.fakes.servers import VaultServer
from vault.bootstrap import authorities, changes, layout, minting
from vault.bootstrap.client import connect, names, patch, read, write
from vault.bootstrap.difference import ConflictError

pytestmark = [pytest.mark.integration, pytest.mark.vault]

LAYOUT = layout.load()
SIGNER = layout.VAULT_FOLDER / "offline_root.py"


@pytest.fixture(scope="module")
def server() -> Iterator[VaultServer]:
    """A server of this module's own, bootstrapped."""
    started = servers.start_vault()
    list(changes.mend(changes.compare(connect(started.address, started.root_token), LAYOUT)))
    yield started
    servers.stop(started.process, signal.SIGTERM)


@pytest.fixture
def client(server: VaultServer) -> hvac.Client:
    return connect(server.address, server.root_token)


@pytest.fixture
def new_server() -> Iterator[VaultServer]:
    """A server that holds nothing."""
    started = servers.start_vault()
    yield started
    servers.stop(started.process, signal.SIGTERM)


def idmesh(server: VaultServer, *arguments: str) -> Result:
    token = server.folder / "token"
    token.write_text(server.root_token)
    options = ["--address", server.address, "--token-file", str(token)]
    return CliRunner().invoke(cli, ["bootstrap", *options, *arguments])


def test_the_second_time_there_is_nothing_to_do(server: VaultServer, client: hvac.Client) -> None:
    assert changes.compare(client, LAYOUT).changes == []
    shown = idmesh(server, "--dry-run")
    assert shown.exit_code == 0
    assert "nothing to do" in shown.output


def test_a_dry_run_shows_each_difference_and_makes_none(
    server: VaultServer, client: hvac.Client
) -> None:
    weaker = LAYOUT.policies["audit"] + 'path "core/transit/decrypt/*" {capabilities=["update"]}\n'
    write(client, "sys/policies/acl/audit", policy=weaker)
    write(client, "core/transit/keys/uin/config", auto_rotate_period="9999h", deletion_allowed=True)
    write(client, "auth/approle/role/abis", secret_id_num_uses=0)
    patch(client, "core/pki/roles/abis", allow_any_name=True, ttl=60)
    shown = idmesh(server, "--dry-run")
    assert shown.exit_code == 2
    assert "would write the policy audit\n" in shown.output
    assert '    -path "core/transit/decrypt/*" {capabilities=["update"]}' in shown.output
    assert "would change the key core/transit/uin: deletion_allowed, auto_rotate" in shown.output
    assert "    - secret_id_num_uses = 0\n    + secret_id_num_uses = 1\n" in shown.output
    assert (read(client, "sys/policies/acl/audit") or {})["policy"] == weaker
    assert "would change core/pki/roles/abis: allow_any_name\n" in shown.output
    assert idmesh(server).exit_code == 0
    assert (read(client, "sys/policies/acl/audit") or {})["policy"] == LAYOUT.policies["audit"]
    assert (read(client, "core/transit/keys/uin") or {})["deletion_allowed"] is False
    assert (read(client, "auth/approle/role/abis") or {})["secret_id_num_uses"] == 1
    assert changes.compare(client, LAYOUT).changes == []


def test_what_is_stricter_than_the_layout_is_kept_and_told(client: hvac.Client) -> None:
    write(client, "core/transit/keys/record/config", auto_rotate_period="24h")
    write(client, "auth/approle/role/identity", token_period=60, token_bound_cidrs=["10.0.0.0/8"])
    write(client, "sys/quotas/rate-limit/idmesh-login", path="auth/approle/", rate=50)
    patch(client, "core/pki-partner/roles/partner", ttl=3600, max_ttl=86400, ou=["kept"])
    patch(client, "core/pki-partner/roles/partner", allowed_uri_sans=["spiffe://*"])
    told = changes.compare(client, LAYOUT).drift
    assert any(line.startswith("core/transit/record: rotates every 86400 s") for line in told)
    assert "auth/approle/role/identity: token_period is 60, stricter than 1200: kept" in told
    assert any(line.startswith("core/pki-partner/roles/partner: max_ttl is 86400") for line in told)
    assert "sys/quotas/rate-limit/idmesh-login: rate is 50, stricter than here: kept" in told
    done = changes.apply(client, LAYOUT)
    assert done == ["change core/pki-partner/roles/partner: allowed_uri_sans"]
    # Mending one field of a role leaves what it does not know.
    role = read(client, "core/pki-partner/roles/partner") or {}
    assert (role["allowed_uri_sans"], role["ou"], role["max_ttl"]) == ([], ["kept"], 86400)
    assert (read(client, "auth/approle/role/identity") or {})["token_bound_cidrs"]
    write(client, "auth/approle/role/identity", token_period=1200, token_bound_cidrs=[])


def test_a_look_up_key_never_rotates_by_itself(client: hvac.Client) -> None:
    """Stricter, for once, would be wrong: nobody would find anybody."""
    write(client, "core/transit/keys/uin-lookup/config", auto_rotate_period="24h")
    assert changes.apply(client, LAYOUT) == [
        "change the key core/transit/uin-lookup: auto_rotate_period"
    ]
    assert (read(client, "core/transit/keys/uin-lookup") or {})["auto_rotate_period"] == 0


def test_what_is_not_ours_is_named_and_left_alone(server: VaultServer, client: hvac.Client) -> None:
    write(client, "core/transit/keys/spare", type="aes256-gcm96")
    write(client, "core/transit/keys/pkt-center-1", type="rsa-2048")  # of a family that is ours
    write(client, "sys/mounts/core/other", type="kv")
    write(client, "sys/mounts/elsewhere", type="kv")
    write(client, "ida/pki-response/roles/wide", allow_any_name=True)
    write(client, "auth/approle/role/backdoor", token_policies=["identity"])
    for name, path in (("nosy", "core/transit/decrypt/uin"), ("all", "*"), ("far", "kv/data/x")):
        write(client, f"sys/policies/acl/{name}", policy=f'path "{path}" {{capabilities=["read"]}}')
    found = changes.compare(client, LAYOUT)
    assert found.strangers == [
        "the mount core/other",
        "the key core/transit/spare",
        "the certificate role ida/pki-response/roles/wide",
        "the policy all, which reaches *",
        "the policy nosy, which reaches core/transit/decrypt/uin",
        "the AppRole backdoor, which holds identity",
    ]
    assert "not ours: the key core/transit/spare" in idmesh(server).output
    assert read(client, "core/transit/keys/spare") is not None
    assert read(client, "sys/policies/acl/nosy") is not None
    assert "core/other/" in (read(client, "sys/mounts") or {})


@pytest.mark.parametrize("conflict", ["key", "mount", "method"])
def test_a_conflict_stops_everything_before_anything_is_changed(
    new_server: VaultServer, conflict: str
) -> None:
    client = connect(new_server.address, new_server.root_token)
    if conflict == "key":
        # The last key of the list: all before it would have been made.
        write(client, "sys/mounts/ida/transit", type="transit")
        write(client, "ida/transit/keys/psut", type="ed25519")
    elif conflict == "mount":
        write(client, "sys/mounts/ida/pki-response", type="kv")
    else:
        write(client, "sys/auth/approle", type="userpass")
    before = read(client, "sys/mounts"), read(client, "sys/auth"), names(client, "sys/policies/acl")
    with pytest.raises(ConflictError):
        changes.apply(client, LAYOUT)
    refused = idmesh(new_server)
    assert isinstance(refused.exception, Problem)
    assert "Nothing was changed" in refused.exception.what
    after = read(client, "sys/mounts"), read(client, "sys/auth"), names(client, "sys/policies/acl")
    assert after == before


def test_the_root_can_be_kept_offline(new_server: VaultServer, tmp_path: Path) -> None:
    client = connect(new_server.address, new_server.root_token)
    folder = tmp_path / "ceremony"
    asked = idmesh(new_server, "--offline-root", str(folder))
    assert asked.exit_code == 0, asked.output
    requests = sorted(path.name for path in folder.iterdir())
    assert requests == [
        "core-pki-device.csr.pem", "core-pki-ftm.csr.pem", "core-pki-machine.csr.pem",
        "core-pki-partner.csr.pem", "core-pki.csr.pem", "ida-pki-response.csr.pem",
    ]  # fmt: skip
    text = (folder / "core-pki.csr.pem").read_text()
    assert idmesh(new_server, "--offline-root", str(folder)).exit_code == 0
    assert (folder / "core-pki.csr.pem").read_text() == text, "a request is made once"
    with pytest.raises(ConflictError, match="is missing"):
        authorities.install(client, LAYOUT, folder)
    _ceremony(folder, requests)
    installed = idmesh(new_server, "--signed", str(folder))
    assert installed.exit_code == 0, installed.output
    assert "install the CA of core/pki-device" in installed.output
    again = idmesh(new_server, "--signed", str(folder))
    assert again.output == "nothing to do\n"

    # The root's mount has its certificate, for those who verify, and no key to sign with.
    with pytest.raises(exceptions.VaultError):
        write(client, "core/pki-root/root/sign-intermediate", csr=text, common_name="x")
    key_csr = write(client, "ida/transit/keys/fir-envelope/csr")["data"]["csr"]
    answer = write(client, "ida/pki-response/sign/envelope", csr=key_csr, common_name="leaf")
    leaf = x509.load_pem_x509_certificate(answer["data"]["certificate"].encode())
    authority, root = (
        x509.load_pem_x509_certificate(pem.encode()) for pem in answer["data"]["ca_chain"]
    )
    leaf.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(root)
    assert root.subject.rfc4514_string() == "CN=Domain root of the ceremony"
    # A service and the supervisor find all that a handshake needs.
    chain, anchor = asyncio.run(_service_certificate(new_server))
    leaf, authority = x509.load_pem_x509_certificates(chain)
    [root] = x509.load_pem_x509_certificates(anchor)
    leaf.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(root)
    assert root.subject.rfc4514_string() == "CN=Mesh root of the ceremony"
    assert minting.mesh_ca(new_server.address).strip() == anchor.decode().strip()


async def _service_certificate(server: VaultServer) -> tuple[bytes, bytes]:
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    async with VaultClient(vaults.login(server, "identity")) as client:
        issued = await client.sign_csr(
            "core/pki/identity",
            request.public_bytes(serialization.Encoding.PEM),
            uri_sans=["spiffe://idmesh.local/identity"],
            ttl_s=3600,
        )
        return issued.chain_pem, await client.ca_pem("core/pki-root")


def test_certificates_of_another_ceremony_are_refused(
    new_server: VaultServer, server: VaultServer, tmp_path: Path
) -> None:
    client = connect(new_server.address, new_server.root_token)
    folder = tmp_path / "ceremony"
    assert idmesh(new_server, "--offline-root", str(folder)).exit_code == 0
    _ceremony(folder, sorted(path.name for path in folder.glob("*.csr.pem")))
    # Signed by the other of the two roots.
    swapped = (folder / "core-pki-root.pem").read_bytes()
    kept = (folder / "core-pki-domain-root.pem").read_bytes()
    (folder / "core-pki-domain-root.pem").write_bytes(swapped)
    with pytest.raises(ConflictError, match="not signed by"):
        authorities.install(client, LAYOUT, folder)
    (folder / "core-pki-domain-root.pem").write_bytes(kept)
    # A server whose authorities live already keeps them.
    with pytest.raises(ConflictError, match="has another CA already"):
        authorities.install(connect(server.address, server.root_token), LAYOUT, folder)
    assert authorities.present(client, LAYOUT.mounts[2]) is None


def _ceremony(folder: Path, requests: list[str]) -> None:
    """What the people do on the machine without a network, with the script."""
    passphrase = folder / "passphrase"
    passphrase.write_text("only in this test")

    def signer(*arguments: str) -> None:
        command = [sys.executable, str(SIGNER), "--passphrase-file", str(passphrase), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)

    for root, name, curve in (
        ("core-pki-root", "Mesh root of the ceremony", True),
        ("core-pki-domain-root", "Domain root of the ceremony", False),
    ):
        extra = ["--curve"] if curve else []
        signer("new", "--key", f"{root}.key", "--out", f"{root}.pem", "--name", name, *extra)
        assert b"ENCRYPTED" in (folder / f"{root}.key").read_bytes()
        own = [each for each in requests if (each == "core-pki.csr.pem") is curve]
        asked = [part for each in own for part in ("--request", each)]
        signer("sign", "--key", f"{root}.key", "--root", f"{root}.pem", *asked)


def test_one_audit_device_is_too_few_and_hashicorps_are_made_by_api(
    client: hvac.Client,
) -> None:
    assert not [line for line in changes.compare(client, LAYOUT).drift if "audit" in line]
    found = changes.compare(client, LAYOUT, product="vault")
    made = [change.what for change in found.changes if change.what.startswith("audit")]
    assert made == ["audit to idmesh-file (file)", "audit to idmesh-stdout (file)"]
    # OpenBao itself refuses the API, which is why it is told by its configuration.
    with pytest.raises(exceptions.VaultError):
        write(client, "sys/audit/idmesh-file", type="file", options={"file_path": "/dev/null"})
