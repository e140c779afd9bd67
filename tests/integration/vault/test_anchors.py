"""The anchors of trust: shares, the first root token, breaking the glass, who may mint."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hvac import exceptions

from services.cli import cli
from services.local.problems import Problem
from tests.fakes import servers, vaults
from tests.fakes.servers import VaultServer
from vault.bootstrap import changes, layout, minting, root
from vault.bootstrap.client import connect, read, write

pytestmark = [pytest.mark.integration, pytest.mark.vault]


@pytest.fixture(params=["auto", "shamir"])
def seal(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_server(seal: str) -> Iterator[VaultServer]:
    """A server that nobody has initialised."""
    started = servers.start_vault(new=True, shamir=seal == "shamir")
    yield started
    servers.stop(started.process, signal.SIGTERM)


def idmesh(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["vault", *map(str, arguments)])


def test_from_a_new_server_to_a_broken_glass(
    new_server: VaultServer, seal: str, tmp_path: Path
) -> None:
    address = ["--address", new_server.address]
    held = tmp_path / "held"
    extra = ["--shamir"] if seal == "shamir" else []
    made = idmesh("init", *address, "--shares", 3, "--threshold", 2, "--out", held, *extra)
    assert made.exit_code == 0, made.output
    shares = sorted(held.glob("share-*.key"))
    assert len({path.read_text() for path in shares}) == 3
    assert {path.stat().st_mode & 0o777 for path in held.iterdir()} == {0o600}
    assert not [path for path in shares if path.read_text().strip() in made.output]
    again = idmesh("init", *address, "--out", tmp_path / "again")
    assert isinstance(again.exception, Problem)
    quorum = ["--share-file", shares[0], "--share-file", shares[2]]
    if seal == "shamir":
        assert "more shares" in idmesh("unseal", *address, *quorum[:2]).output
        assert idmesh("unseal", *address, *quorum[2:]).output == "open\n"
    root.wait_until_active(new_server.address)

    # The first administrator: the root token does the bootstrap and ends.
    token = held / "root.token"
    first = token.read_text().strip()
    changes.apply(connect(new_server.address, first), _policies_and_logins())
    envelope = tmp_path / "envelope"
    sealed = idmesh("break-glass-login", *address, "--token-file", token, "--out", envelope)
    assert sealed.exit_code == 0, sealed.output
    assert idmesh("revoke-root", *address, "--token-file", token).exit_code == 0
    assert not token.exists()
    assert not root.is_valid(new_server.address, first)

    # A quorum without the envelope, the envelope without a quorum, and a wrong share: nothing.
    out = ["--out", tmp_path / "root"]
    for given in (
        [*quorum],
        ["--login-file", envelope, *quorum[:2]],
        ["--login-file", envelope, "--share-file", shares[0], "--share-file", shares[0]],
    ):
        refused = idmesh("root-token", *address, *out, *given)
        assert isinstance(refused.exception, Problem), given
        assert not (tmp_path / "root").exists()
    broken = idmesh("root-token", *address, *out, "--login-file", envelope, *quorum)
    assert broken.exit_code == 0, broken.exception
    regained = (tmp_path / "root").read_text().strip()
    assert (read(connect(new_server.address, regained), "auth/token/lookup-self") or {})[
        "policies"
    ] == ["root"]
    # A second login for the envelope ends the first.
    newer = idmesh(
        "break-glass-login", *address, "--token-file", tmp_path / "root", "--out", tmp_path / "new"
    )
    assert newer.exit_code == 0
    (tmp_path / "root").rename(tmp_path / "kept")
    refused = idmesh("root-token", *address, *out, "--login-file", envelope, *quorum)
    assert isinstance(refused.exception, Problem)
    assert idmesh("revoke-root", *address, "--token-file", tmp_path / "kept").exit_code == 0


def _policies_and_logins() -> layout.Layout:
    """The part of the layout without keys and authorities, which take long to make."""
    whole = layout.load()
    return layout.Layout(
        **{**vars(whole), "mounts": (), "keys": (), "certificate_roles": (), "quotas": ()}
    )


@pytest.mark.parametrize(("shares", "threshold"), [(3, 1), (2, 3)])
def test_one_of_many_and_more_than_there_are_is_no_quorum(
    tmp_path: Path, shares: int, threshold: int
) -> None:
    refused = idmesh(
        "init", "--address", "http://127.0.0.1:1", "--out", tmp_path / "held",
        "--shares", shares, "--threshold", threshold,
    )  # fmt: skip
    assert isinstance(refused.exception, Problem)
    assert not (tmp_path / "held").exists()


@pytest.fixture
def login(vault_server: VaultServer) -> minting.Login:
    vaults.bootstrap(vault_server)
    return minting.issue_login(vault_server.address, vault_server.root_token, "supervisor")


def test_the_supervisor_hands_out_wrapped_secret_ids_and_nothing_else(
    vault_server: VaultServer, login: minting.Login
) -> None:
    minter = minting.Minter(vault_server.address, login)
    wrapped = minter.wrapped_secret_id("identity")
    opened = vault_server.call("POST", "sys/wrapping/unwrap", token=wrapped)
    assert opened["data"]["secret_id_num_uses"] == 1
    with pytest.raises(RuntimeError):  # a wrapping token works once
        vault_server.call("POST", "sys/wrapping/unwrap", token=wrapped)

    client = connect(vault_server.address, minting.log_in(vault_server.address, login))
    # In clear it could log in as the service itself; wrapped for long, so could a thief.
    with pytest.raises(exceptions.Forbidden):
        write(client, "auth/approle/role/identity/secret-id")
    with pytest.raises(exceptions.VaultError):
        client.adapter.post("/v1/auth/approle/role/identity/secret-id", json={}, wrap_ttl="24h")
    for path in (
        "auth/approle/role/supervisor/secret-id",
        "auth/approle/role/break-glass/secret-id",
        "auth/approle/role/identity",
        "auth/approle/role/identity/custom-secret-id",
        "core/transit/decrypt/uin",
        "core/transit/keys/uin",
        "core/pki/sign/identity",
        "core/pki-root/root/sign-intermediate",
        "sys/policies/acl/supervisor",
        "sys/audit/x",
        "sys/seal",
        "auth/token/create",
    ):
        with pytest.raises(exceptions.Forbidden):
            client.adapter.post(f"/v1/{path}", json={}, wrap_ttl="60s")


def test_a_new_login_of_the_supervisor_ends_the_old_one(
    vault_server: VaultServer, login: minting.Login
) -> None:
    minting.issue_login(vault_server.address, vault_server.root_token, "supervisor")
    with pytest.raises(exceptions.VaultError):
        minting.log_in(vault_server.address, login)
