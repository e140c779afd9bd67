"""Documents come over HTTP from configured places only, whole and in time."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.abis.clients.data_share import HttpDataShare
from services.abis.clients.share_login import ShareLogin
from services.abis.domain.message import Failure, MessageRefusedError
from services.common.errors import InvalidArgument
from services.common.vault import VaultClient
from tests.fakes.clock import FakeClock
from tests.fakes.servers import VaultServer
from tests.unit.abis.test_data_share import SESSION_KEY, THUMBPRINT, a_share

pytestmark = pytest.mark.integration

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), label=None)


@dataclass
class Vault:
    """One RSA key; it never leaves."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    async def rsa_decrypt(
        self, key: str, version: int, ciphertexts: Sequence[bytes]
    ) -> list[bytes]:
        assert (key, version) == ("core/transit/abis-share", 3)
        try:
            return [self.key.decrypt(each, OAEP) for each in ciphertexts]
        except ValueError:
            raise InvalidArgument("CIPHERTEXT_REFUSED", "It is another key's.") from None


@dataclass
class Site:
    """A local web server: /v1/share/NAME serves, everything else is off the list."""

    answers: dict[str, web.Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    base: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/v1/share/slow":
            await asyncio.sleep(5)
        if request.path == "/v1/share/endless":
            stream = web.StreamResponse()
            await stream.prepare(request)
            with pytest.raises(ConnectionError):
                while True:
                    await stream.write(b"<BIR>" * 1000)
            return stream
        return self.answers[request.path]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        place = web.TCPSite(runner, "127.0.0.1", 0)
        await place.start()
        host, port = runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"
        try:
            yield
        finally:
            await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with site.running():
        yield site


@asynccontextmanager
async def client(site: Site, vault: Vault | None = None) -> AsyncIterator[HttpDataShare]:
    async with HttpDataShare(
        vault or Vault(),
        allowed=[f"{site.base}/v1/share"],
        max_bytes=100_000,
        timeout_s=0.5,
        keys={THUMBPRINT.hex().upper(): ("core/transit/abis-share", 3)},
    ) as opened:
        yield opened


async def failure(site: Site, path: str, base: str | None = None) -> Failure:
    async with client(site) as share:
        with pytest.raises(MessageRefusedError) as refused:
            await share.fetch((site.base if base is None else base) + path)
    return refused.value.failure


async def test_a_plain_document_is_fetched(site: Site) -> None:
    site.answers["/v1/share/a"] = web.Response(body=b"\xef\xbb\xbf<BIR/>")
    async with client(site) as share:
        assert await share.fetch(f"{site.base}/v1/share/a?x=1") == b"\xef\xbb\xbf<BIR/>"


async def test_a_sealed_document_is_opened_with_the_key_of_its_certificate(site: Site) -> None:
    vault = Vault()
    wrapped = vault.key.public_key().encrypt(SESSION_KEY, OAEP)
    sealed = bytearray(a_share(b"<BIR/>"))
    sealed[38:294] = wrapped
    site.answers["/v1/share/a"] = web.Response(body=base64.urlsafe_b64encode(bytes(sealed)))
    async with client(site, vault) as share:
        assert await share.fetch(f"{site.base}/v1/share/a") == b"<BIR/>"
    site.answers["/v1/share/a"] = web.Response(body=base64.urlsafe_b64encode(bytes(sealed)))
    assert await failure(site, "/v1/share/a") is Failure.UNEXPECTED
    sealed[6] ^= 1
    site.answers["/v1/share/a"] = web.Response(body=base64.urlsafe_b64encode(bytes(sealed)))
    assert await failure(site, "/v1/share/a") is Failure.UNEXPECTED


@pytest.mark.vault
async def test_the_key_is_one_of_vault_that_abis_may_use(
    site: Site,
    vault_server: VaultServer,
    vault_client: Callable[[str], Awaitable[VaultClient]],
) -> None:
    vault = await vault_client("abis")
    described = vault_server.call("GET", "core/transit/keys/abis-share")["data"]
    public = load_pem_public_key(described["keys"]["1"]["public_key"].encode())
    assert isinstance(public, rsa.RSAPublicKey)
    sealed = bytearray(a_share(b"<BIR/>"))
    sealed[38:294] = public.encrypt(SESSION_KEY, OAEP)
    site.answers["/v1/share/a"] = web.Response(body=base64.urlsafe_b64encode(bytes(sealed)))
    async with HttpDataShare(
        vault,
        allowed=[site.base],
        max_bytes=10_000,
        timeout_s=10.0,
        keys={THUMBPRINT.hex(): ("core/transit/abis-share", 1)},
    ) as share:
        assert await share.fetch(f"{site.base}/v1/share/a") == b"<BIR/>"
        sealed[100] ^= 1
        site.answers["/v1/share/a"] = web.Response(body=base64.urlsafe_b64encode(bytes(sealed)))
        with pytest.raises(MessageRefusedError) as refused:
            await share.fetch(f"{site.base}/v1/share/a")
    assert refused.value.failure is Failure.UNEXPECTED


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sharesecret",
        "/v1/other",
        "/v1/share/../other",
        "/v1/share/%2e%2e/other",
        "/v1/share/..%2fother",
        "/v1/share/..%5cother",
    ],
)
async def test_what_is_off_the_list_is_not_asked(site: Site, path: str) -> None:
    assert await failure(site, path) is Failure.NOT_FETCHED
    assert site.asked == []


async def test_other_hosts_schemes_and_users_are_not_asked(site: Site) -> None:
    port = site.base.rpartition(":")[2]
    for url in (
        f"http://localhost:{port}/v1/share/a",
        f"https://127.0.0.1:{port}/v1/share/a",
        f"http://user@127.0.0.1:{port}/v1/share/a",
        "http://127.0.0.1/v1/share/a",
        "file:///etc/passwd",
        "//127.0.0.1/v1/share/a",
        "http://[::1/v1/share/a",
        "",
        "a b",
    ):
        assert await failure(site, "", url) is Failure.NOT_FETCHED
    assert site.asked == []


async def test_a_redirect_leads_nowhere_off_the_list(site: Site) -> None:
    def redirect(to: str) -> web.Response:
        return web.Response(status=302, headers={"Location": to})

    site.answers["/v1/share/a"] = redirect("b")
    site.answers["/v1/share/b"] = web.Response(body=b"<BIR/>")
    site.answers["/v1/share/off"] = redirect("/v1/other")
    site.answers["/v1/share/host"] = redirect("http://169.254.169.254/v1/share/a")
    site.answers["/v1/share/round"] = redirect("round")
    site.answers["/v1/share/none"] = web.Response(status=302)
    async with client(site) as share:
        assert await share.fetch(f"{site.base}/v1/share/a") == b"<BIR/>"
    for name in ("off", "host", "round", "none"):
        assert await failure(site, f"/v1/share/{name}") is Failure.NOT_FETCHED
    assert "/v1/other" not in site.asked


async def test_a_slow_or_endless_document_ends(site: Site) -> None:
    assert await failure(site, "/v1/share/slow") is Failure.NOT_FETCHED
    assert await failure(site, "/v1/share/endless") is Failure.NOT_FETCHED


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"status": 404}, Failure.NOT_FETCHED),
        ({"status": 500}, Failure.NOT_FETCHED),
        ({"status": 410}, Failure.URL_EXPIRED),
        ({"body": b""}, Failure.CBEFF_EMPTY),
        ({"body": b"{}"}, Failure.NOT_FETCHED),
        ({"body": b"{"}, Failure.NOT_FETCHED),
        ({"body": b"FMR"}, Failure.CBEFF_FORMAT),
        *(
            (
                {"body": b'{"errors":[{"errorCode":"%s","message":"%s"}]}' % (code, told)},
                expected,
            )
            for code, told, expected in (
                (b"DAT-SER-003", b"File does not exists or File is empty", Failure.NOT_FETCHED),
                (b"DAT-SER-006", b"Data share not found", Failure.NOT_FETCHED),
                (b"DAT-SER-006", b"Data share usage expired", Failure.URL_EXPIRED),
                (b"KER-ATH-401", b"Authentication Failed", Failure.NOT_FETCHED),
                (b"KER-ATH-403", b"Forbidden", Failure.NOT_FETCHED),
            )
        ),
    ],
)
async def test_what_the_share_says_instead_is_told_by_its_code(
    site: Site, response: dict[str, object], expected: Failure
) -> None:
    site.answers["/v1/share/a"] = web.Response(**response)  # type: ignore[arg-type]
    assert await failure(site, "/v1/share/a") is expected


async def test_a_share_that_is_down_is_not_fetched_from(site: Site) -> None:
    async with HttpDataShare(
        Vault(), allowed=["http://127.0.0.1:9/"], max_bytes=10, timeout_s=1.0
    ) as share:
        with pytest.raises(MessageRefusedError) as refused:
            await share.fetch("http://127.0.0.1:9/a")
    assert refused.value.failure is Failure.NOT_FETCHED


@dataclass
class Authmanager:
    """Gives tokens, and a share that takes the newest of them alone."""

    logins: list[Any] = field(default_factory=list)
    away: bool = False

    async def log_in(self, request: web.Request) -> web.Response:
        self.logins.append(await request.json())
        answer = web.json_response({"response": {"status": "Success"}, "errors": None})
        if not self.away:
            answer.set_cookie("authorization", f"jwt-{len(self.logins)}", httponly=True)
        return answer

    async def share(self, request: web.Request) -> web.Response:
        if request.cookies.get("Authorization") == f"jwt-{len(self.logins)}":
            return web.Response(body=b"<BIR/>")
        refused = {"errorCode": "KER-ATH-401", "message": "Authentication Failed"}
        return web.json_response({"response": None, "errors": [refused]})


@pytest.fixture
async def authmanager() -> AsyncIterator[tuple[Authmanager, HttpDataShare, str]]:
    server = Authmanager()
    app = web.Application()
    app.router.add_post("/v1/authmanager/authenticate/clientidsecretkey", server.log_in)
    app.router.add_get("/v1/share/a", server.share)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = "http://{}:{}".format(*runner.addresses[0][:2])
    login = ShareLogin(
        FakeClock(),
        url=f"{base}/v1/authmanager/authenticate/clientidsecretkey",
        app_id="regproc",
        client_id="mosip-abis-client",
        secret=lambda: "abc123",
    )
    async with HttpDataShare(
        Vault(), allowed=[f"{base}/v1/share"], max_bytes=1000, timeout_s=5.0, login=login
    ) as share:
        yield server, share, f"{base}/v1/share/a"
    await runner.cleanup()


async def test_a_token_is_shown_and_renewed_when_it_is_refused(
    authmanager: tuple[Authmanager, HttpDataShare, str],
) -> None:
    server, share, url = authmanager
    assert await asyncio.gather(*(share.fetch(url) for _ in range(5))) == [b"<BIR/>"] * 5
    assert len(server.logins) == 1
    assert server.logins[0]["request"] == {
        "appId": "regproc",
        "clientId": "mosip-abis-client",
        "secretKey": "abc123",
    }
    # It has expired.
    server.logins.append(None)
    assert await share.fetch(url) == b"<BIR/>"
    assert len(server.logins) == 3
    server.logins.append(None)
    server.away = True
    with pytest.raises(MessageRefusedError) as refused:
        await share.fetch(url)
    assert refused.value.failure is Failure.NOT_FETCHED
