"""A running mesh of empty services: what it looks like from outside and inside."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import aiohttp
import asyncpg
import grpc
import pytest
from hvac import exceptions
from idmesh.options.v1 import options_pb2

from services.local import certificates, control, database, health, topology
from services.local.children import State
from services.local.folder import read_json
from services.local.problems import Problem
from services.local.supervisor import Supervisor, running
from tests.integration.local.harness import eventually, settings
from vault.bootstrap import changes, layout, minting, root
from vault.bootstrap.client import connect, read, write

# Until Envoy has seen new files, on a busy machine.
EDGE_S = 30.0
PAIR = ("key.pem", "chain.pem")

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


def edge_url(mesh: Supervisor, path: str) -> str:
    return f"https://localhost:{mesh.ports['edge']}{path}"


async def ask(channel: grpc.aio.Channel, path: str) -> bytes:
    call: health.Ask = channel.unary_unary(path)
    return await call(b"", timeout=5)


def trusted(mesh: Supervisor) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(mesh.folder.tls / "ca.pem"))


async def test_everything_is_ready_and_told_by_the_control_socket(mesh: Supervisor) -> None:
    report = await asyncio.to_thread(control.ask, mesh.folder, "status")
    names = {child["name"] for child in report["processes"]}
    assert names == {"postgres", "openbao", "envoy", "mail", "audit", "auth", "edge"}
    for child in report["processes"]:
        assert child["state"] == State.READY.value
        assert child["rss_bytes"] > 1_000_000
        assert child["pss_bytes"] > 1_000_000
        assert child["restarts"] == 0
    assert report["urls"]["api"] == edge_url(mesh, "")
    assert await asyncio.to_thread(control.ask, mesh.folder, "state") == {"state": "ready"}


async def test_all_files_belong_to_the_one_who_started_it_alone(mesh: Supervisor) -> None:
    wrong = []
    for path in [mesh.folder.root, *mesh.folder.root.rglob("*")]:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            continue
        if found.st_mode & 0o077:
            wrong.append(path)
    assert wrong == []


async def test_a_second_supervisor_of_the_folder_is_refused(mesh: Supervisor) -> None:
    with pytest.raises(Problem, match="Another supervisor") as refused:
        async with running(settings(mesh.folder.root)):
            pass
    assert "idmesh down" in refused.value.cure


async def test_services_serve_only_under_their_own_names(mesh: Supervisor) -> None:
    port = mesh.ports["authentication"]
    assert await health.is_serving("authentication", port, mesh.folder.tls)
    assert not await health.is_serving("identity", port, mesh.folder.tls)


async def test_a_client_without_a_certificate_reaches_no_service(mesh: Supervisor) -> None:
    credentials = grpc.ssl_channel_credentials((mesh.folder.tls / "ca.pem").read_bytes())
    options = [("grpc.ssl_target_name_override", "gateway.idmesh")]
    target = f"ipv4:127.0.0.1:{mesh.ports['gateway']}"
    async with grpc.aio.secure_channel(target, credentials, options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(channel, health.METHOD)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_envoy_finds_its_configuration_valid(mesh: Supervisor) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [*mesh.child("envoy").spec.command, "--mode", "validate"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/nothing-here", b"", 404, "PATH_UNKNOWN"),
        ("GET", "/v1/audit/records", b"", 401, "TOKEN_MISSING"),
        ("GET", "/v1/audit/records?bogus=1", b"", 400, "REQUEST_MALFORMED"),
        ("POST", "/v1/access/token", b"{}", 503, "UPSTREAM_UNAVAILABLE"),
        ("POST", "/idauthentication/v1/auth/l/p/k", b"x" * 1_100_000, 413, "REQUEST_TOO_LARGE"),
        ("POST", "/v1/partners", b"x" * 4_300_000, 413, "REQUEST_TOO_LARGE"),
    ],
)
async def test_every_error_of_the_edge_has_one_shape(
    mesh: Supervisor, *, method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    headers = {"content-type": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, edge_url(mesh, path), data=body, ssl=trusted(mesh)) as answer,
    ):
        document = await answer.json()
    assert (answer.status, answer.content_type) == (status, "application/json")
    assert document["details"][0]["reason"] == reason
    assert set(document) == {"code", "message", "details"}


async def test_the_same_errors_are_statuses_for_a_grpc_client(mesh: Supervisor) -> None:
    credentials = grpc.ssl_channel_credentials((mesh.folder.tls / "ca.pem").read_bytes())
    async with grpc.aio.secure_channel(f"localhost:{mesh.ports['edge']}", credentials) as channel:
        for path, code in (
            ("/idmesh.partner.v1.PartnerService/GetPartner", grpc.StatusCode.UNAUTHENTICATED),
            ("/idmesh.abis.v1.AbisService/Identify", grpc.StatusCode.UNIMPLEMENTED),
            ("/grpc.health.v1.Health/Check", grpc.StatusCode.UNIMPLEMENTED),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(channel, path)
            assert refused.value.code() is code


async def test_no_rpc_that_is_not_the_edges_is_reached_through_it(mesh: Supervisor) -> None:
    """Not by its path, nor with a certificate of the mesh: Envoy speaks for itself alone."""
    tls = mesh.folder.tls
    pair = [(tls / "operator-cli" / "current" / name).read_bytes() for name in PAIR]
    credentials = grpc.ssl_channel_credentials((tls / "ca.pem").read_bytes(), *pair)
    inside = [
        f"/{service.full_name}/{method.name}"
        for name in topology.services()
        for service in import_module(
            f"idmesh.{name}.v1.{name}_service_pb2"
        ).DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if "envoy" not in method.GetOptions().Extensions[options_pb2.callers]
    ]
    assert len(inside) > 20
    inside += ["/idmesh.feed.v1.FeedService/Subscribe", "/grpc.health.v1.Health/Watch"]
    inside += ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]
    async with (
        grpc.aio.secure_channel(f"localhost:{mesh.ports['edge']}", credentials) as channel,
        aiohttp.ClientSession(headers={"content-type": "application/json"}) as session,
    ):
        for path in inside:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(channel, path)
            assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED, path
            async with session.post(edge_url(mesh, path), data=b"{}", ssl=trusted(mesh)) as answer:
                assert answer.status == 404, path


async def test_a_licence_key_in_a_path_reaches_no_log(mesh: Supervisor) -> None:
    licence = "L1cence-key-never-logged"
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            edge_url(mesh, f"/idauthentication/v1/auth/{licence}/p/k"),
            data=b"{}",
            headers={"content-type": "application/json"},
            ssl=trusted(mesh),
        ),
    ):
        pass
    log = mesh.folder.logs / "envoy.log"
    await eventually(lambda: "GatewayService/Authenticate" in log.read_text())
    for path in mesh.folder.logs.iterdir():
        assert licence not in path.read_text(errors="replace"), path


async def test_an_old_tls_is_refused(mesh: Supervisor) -> None:
    context = trusted(mesh)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("localhost", mesh.ports["edge"], ssl=context)


async def test_the_edge_serves_a_renewed_certificate_without_a_restart(mesh: Supervisor) -> None:
    def served() -> str:
        context = trusted(mesh)
        import socket

        with (
            socket.create_connection(("localhost", mesh.ports["edge"])) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            return str((tls.getpeercert() or {})["serialNumber"])

    before = await asyncio.to_thread(served)
    (mesh.folder.tls / "envoy" / "current" / "chain.pem").write_text("worn out")
    assert mesh._minter is not None
    assert await asyncio.to_thread(certificates.renew, mesh.folder, mesh._minter, certificates.EDGE)
    new = (mesh.folder.tls / "envoy" / "current").readlink().name
    assert int(new, 16) != int(before, 16)
    deadline = time.monotonic() + EDGE_S
    while int(await asyncio.to_thread(served), 16) != int(new, 16):
        assert time.monotonic() < deadline, "the edge still serves the old certificate"
        await asyncio.sleep(0.05)


async def test_a_service_role_sees_its_own_schema_only_and_within_limits(mesh: Supervisor) -> None:
    admin = database.administrator(mesh.folder, mesh._cluster)

    async def log_in(user: str, password: str) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=str(admin.host), port=admin.port, user=user, password=password, database="idmesh"
        )

    with pytest.raises(asyncpg.InvalidPasswordError):
        await log_in("identity", "wrong")
    own = await log_in("identity", mesh.folder.secret(database.password_file("identity")))
    try:
        assert await own.fetchval("SHOW search_path") == "identity"
        assert await own.fetchval("SHOW idle_in_transaction_session_timeout") == "15s"
        if mesh._cluster.major >= 17:
            assert await own.fetchval("SHOW transaction_timeout") == "1min"
        assert await own.fetchval("SELECT count(*) FROM feed") == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await own.execute("SELECT * FROM registration.feed")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await own.execute("CREATE TABLE mine (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await own.execute("CREATE TABLE public.mine (id int)")
    finally:
        await own.close()
    assert not await database.prepare_database(mesh.folder, mesh._cluster)


async def test_a_service_can_do_its_verbs_in_vault_and_a_secret_id_works_once(
    mesh: Supervisor,
) -> None:
    address, minter = mesh._bao.address, mesh._minter
    assert minter is not None
    wrapped = await asyncio.to_thread(minter.wrapped_secret_id, "identity")
    answer = write(connect(address, wrapped), "sys/wrapping/unwrap")
    with pytest.raises(exceptions.InvalidRequest):
        write(connect(address, wrapped), "sys/wrapping/unwrap")
    login = {"role_id": mesh._bao.role_ids()["identity"], "secret_id": answer["data"]["secret_id"]}
    token = write(connect(address), "auth/approle/login", **login)["auth"]["client_token"]
    with pytest.raises(exceptions.InvalidRequest):
        write(connect(address), "auth/approle/login", **login)
    client = connect(address, token)
    sealed = write(client, "core/transit/encrypt/uin", plaintext="aGVsbG8=")["data"]["ciphertext"]
    opened = write(client, "core/transit/decrypt/uin", ciphertext=sealed)
    assert opened["data"]["plaintext"] == "aGVsbG8="
    mac = write(client, "ida/transit/hmac/id-lookup/sha2-256", input="aGVsbG8=")["data"]["hmac"]
    assert mac.startswith("vault:v1:")
    context = {"context": "cmVjb3Jk"}
    write(client, "ida/transit/encrypt/record", **context, plaintext="aGVsbG8=")
    for path, body in (
        ("ida/transit/decrypt/record", context | {"ciphertext": sealed}),
        ("core/transit/decrypt/bio-reference", context | {"ciphertext": sealed}),
        ("core/transit/keys/uin/rotate", {}),
        ("core/pki/sign/envoy", {"csr": ""}),
        ("auth/approle/role/audit/secret-id", {}),
    ):
        with pytest.raises(exceptions.Forbidden):
            write(client, path, **body)


async def test_masterdata_makes_packet_keys_and_cannot_loosen_them(mesh: Supervisor) -> None:
    address, minter = mesh._bao.address, mesh._minter
    assert minter is not None
    wrapped = await asyncio.to_thread(minter.wrapped_secret_id, "masterdata")
    secret_id = write(connect(address, wrapped), "sys/wrapping/unwrap")["data"]["secret_id"]
    role_id = mesh._bao.role_ids()["masterdata"]
    answer = write(connect(address), "auth/approle/login", role_id=role_id, secret_id=secret_id)
    client = connect(address, answer["auth"]["client_token"])
    write(client, "core/transit/keys/pkt-10001", type="rsa-2048", exportable=False)
    key = read(client, "core/transit/keys/pkt-10001")
    assert key is not None
    assert key["keys"]["1"]["public_key"].startswith("-----BEGIN PUBLIC KEY")
    for path, body in (
        ("core/transit/keys/pkt-10002", {"type": "rsa-2048", "exportable": True}),
        ("core/transit/keys/pkt-10001/config", {"deletion_allowed": True}),
        ("core/transit/keys/pkt-10001/config", {"exportable": True}),
        ("core/transit/decrypt/pkt-10001", {"ciphertext": "vault:v1:AAAA"}),
        ("core/transit/keys/uin", {"type": "aes256-gcm96"}),
    ):
        with pytest.raises(exceptions.Forbidden):
            write(client, path, **body)


async def test_no_root_token_is_left_and_the_supervisor_can_use_no_key(mesh: Supervisor) -> None:
    assert not (mesh.folder.secrets / "openbao-root.token").exists()
    login = read_json(mesh.folder.secrets / "openbao-supervisor.json")
    answer = write(connect(mesh._bao.address), "auth/approle/login", **login)
    client = connect(mesh._bao.address, answer["auth"]["client_token"])
    for path, body in (
        ("core/transit/decrypt/uin", {"ciphertext": "vault:v1:AAAA"}),
        ("auth/approle/role/identity/secret-id", {}),  # not wrapped
        ("core/pki/sign/identity", {"csr": ""}),
        ("sys/policies/acl/supervisor", {"policy": ""}),
    ):
        with pytest.raises(exceptions.Forbidden):
            write(client, path, **body)


async def test_bootstrap_has_nothing_to_do_a_second_time_and_mends_what_was_changed(
    mesh: Supervisor,
) -> None:
    assert mesh._minter is not None
    recovery_key = (mesh.folder.secrets / "openbao-recovery.key").read_text().strip()
    token = await asyncio.to_thread(mesh._minter.root_token, recovery_key)
    client, wanted = connect(mesh._bao.address, token), layout.load()
    assert changes.compare(client, replace(wanted, quotas=())).changes == []
    write(client, "sys/policies/acl/audit", policy='path "sys/*" { capabilities = ["read"] }')
    write(client, "core/pki/roles/envoy", max_ttl=999_999, allow_any_name=True)
    found = [each.what for each in changes.compare(client, replace(wanted, quotas=())).changes]
    assert found[0].startswith("change core/pki/roles/envoy: ")
    assert found[1:] == ["write the policy audit"]
    assert changes.apply(client, wanted) == found
    assert changes.apply(client, wanted) == []
    root.revoke(mesh._bao.address, token)
    assert not root.is_valid(mesh._bao.address, token)
    root.revoke(mesh._bao.address, token)


async def test_a_certificate_role_signs_its_own_name_only(mesh: Supervisor) -> None:
    assert mesh._minter is not None
    key = (mesh.folder.tls / "envoy" / "current" / "key.pem").read_text()
    done = subprocess.run(
        ["openssl", "req", "-new", "-key", "/dev/stdin", "-subj", "/CN=x"],
        input=key, capture_output=True, text=True, check=True,
    )  # fmt: skip
    uri = "spiffe://idmesh.local/identity"
    with pytest.raises(exceptions.InvalidRequest):
        mesh._minter.sign("envoy", done.stdout, uri=uri, dns=(), ip=())
    with pytest.raises(exceptions.InvalidRequest):
        mesh._minter.sign(
            "operator-cli", done.stdout, uri=certificates.OPERATOR.spiffe_id,
            dns=(), ip=("127.0.0.1",),
        )  # fmt: skip


async def test_mail_is_kept_and_shown(mesh: Supervisor) -> None:
    import smtplib

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", mesh.ports["smtp"]) as smtp:
            smtp.sendmail("idmesh@x", ["ada@x"], "Subject: Your VID\r\n\r\nHello <b>")

    await asyncio.to_thread(send)
    page = f"http://127.0.0.1:{mesh.ports['mail_page']}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{page}/api/mails", params={"to": "ada@x"}) as answer:
            mails = (await answer.json())["mails"]
        async with session.get(page) as answer:
            shown = await answer.text()
    assert [mail["subject"] for mail in mails] == ["Your VID"]
    assert "Hello &lt;b&gt;" in shown


async def test_the_audit_log_of_vault_is_reopened_after_it_was_moved(mesh: Supervisor) -> None:
    from services.local import logs

    log, moved = mesh._bao.audit_log, mesh._bao.audit_log.with_suffix(".log.1")
    assert logs.rotate_reopened(log, largest=1)
    import signal

    mesh.child("openbao").send(signal.SIGHUP)
    assert mesh._minter is not None
    await asyncio.to_thread(mesh._minter.keep_alive)
    await eventually(lambda: log.exists() and log.stat().st_size > 0)
    size = moved.stat().st_size
    await asyncio.to_thread(mesh._minter.keep_alive)
    assert moved.stat().st_size == size


async def test_status_and_help_work_from_the_command_line(mesh: Supervisor) -> None:
    tree = Path(topology.__file__).parent.parent.parent

    def idmesh(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            capture_output=True, text=True, check=True, cwd=tree,
        )  # fmt: skip
        return done.stdout

    folder = str(mesh.folder.root)
    shown = await asyncio.to_thread(idmesh, "status", "--data-folder", folder, "--json")
    assert json.loads(shown)["state"] == "ready"
    shown = await asyncio.to_thread(idmesh, "status", "--data-folder", folder)
    assert "envoy" in shown
    assert " PSS " in shown
    shown = await asyncio.to_thread(idmesh, "migrate", "--data-folder", folder)
    assert shown == "nothing to do\n"
    assert "bootstrap" in await asyncio.to_thread(idmesh, "--help")


async def test_minting_survives_a_dead_login(mesh: Supervisor) -> None:
    minter = mesh._minter
    assert isinstance(minter, minting.Minter)
    await asyncio.to_thread(minter.keep_alive)
    assert minter._client is not None
    root.revoke(mesh._bao.address, minter._client.token)
    assert await asyncio.to_thread(minter.wrapped_secret_id, "audit")
