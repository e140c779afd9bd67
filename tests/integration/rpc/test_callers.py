"""Who may call what, proven with real handshakes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.common import rpc
from services.common.config import TlsConfig
from services.common.errors import PermissionDenied, Unauthenticated, Unavailable
from services.common.tokens import TokenTrust
from tests.fakes.mesh_ca import MeshCa
from tests.fakes.tokens import FORGERIES, TokenMaker

pytestmark = pytest.mark.integration


async def test_a_listed_caller_is_served_and_known_by_name(
    start: Any, stub: Any, echo: Any
) -> None:
    running = await start()
    answer = await (await stub(running.target)).Echo(echo.Request(text="hello"))
    assert (answer.text, answer.caller) == ("hello", "alpha")
    assert len(answer.correlation_id) == 32
    assert 9.0 < answer.remaining_s <= 10.0


@pytest.mark.parametrize(
    ("caller", "method"),
    [
        ("gamma", "Echo"),
        ("envoy", "Echo"),
        ("alpha", "EchoAtEdge"),
        ("alpha", "EchoForNobody"),
        ("envoy", "EchoAgain"),
    ],
)
async def test_a_caller_that_is_not_listed_is_refused(
    start: Any, stub: Any, echo: Any, caller: str, method: str
) -> None:
    running = await start()
    with pytest.raises(PermissionDenied) as refused:
        await getattr(await stub(running.target, caller), method)(echo.Request(text="x"))
    assert refused.value.reason == "CALLER_NOT_ALLOWED"
    assert running.servicer.calls == 0


async def test_the_star_lets_any_service_in_but_not_the_edge(
    start: Any, stub: Any, echo: Any
) -> None:
    running = await start()
    service, edge = await stub(running.target, "gamma"), await stub(running.target, "envoy")
    assert await service.EchoAgain(echo.Request())
    assert [answer.text async for answer in service.Count(echo.Request(count=2))] == ["0", "1"]
    with pytest.raises(PermissionDenied):
        await edge.EchoAgain(echo.Request())
    with pytest.raises(PermissionDenied):
        await anext(aiter(edge.Count(echo.Request(count=2))))


async def test_an_operator_is_whom_the_token_proves_and_only_through_the_edge(
    start: Any, stub: Any, echo: Any
) -> None:
    running = await start()
    issuer = TokenMaker()
    trust = TokenTrust()
    trust.set(issuer.trust())
    running.server.verify_operators(trust)
    edge = await stub(running.target, "envoy")
    token = (("authorization", f"Bearer {issuer.token('op-7', 'ADMIN', 'OFFICER')}"),)
    answer = await edge.EchoAtEdge(echo.Request(), metadata=token)
    assert (answer.operator, list(answer.roles)) == ("op-7", ["ADMIN", "OFFICER"])
    answer = await (await stub(running.target)).Echo(echo.Request(), metadata=token)
    assert (answer.operator, list(answer.roles)) == ("", [])
    # What the edge used to be believed.
    claimed = (("x-idmesh-operator", "op-7"), ("x-idmesh-roles", "ADMIN"))
    answer = await edge.EchoAtEdge(echo.Request(), metadata=claimed)
    assert (answer.operator, list(answer.roles)) == ("", [])


# One that is too long for a header is refused by gRPC.
@pytest.mark.parametrize("forgery", sorted(set(FORGERIES) - {"too long"}))
async def test_the_service_itself_refuses_a_bad_token_by_its_own_reason(
    start: Any, stub: Any, echo: Any, forgery: str
) -> None:
    running = await start()
    issuer = TokenMaker()
    trust = TokenTrust()
    trust.set(issuer.trust(revoked_tokens={"revoked"}, least_generations={"leaver": 2}))
    running.server.verify_operators(trust)
    edge = await stub(running.target, "envoy")
    make, reason = FORGERIES[forgery]
    with pytest.raises(Unauthenticated) as refused:
        token = f"Bearer {make(issuer)}"
        await edge.EchoAtEdge(echo.Request(), metadata=(("authorization", token),))
    assert refused.value.reason == reason
    assert running.servicer.calls == 0


async def test_without_a_word_of_access_no_token_is_good(start: Any, stub: Any, echo: Any) -> None:
    running = await start()
    running.server.verify_operators(TokenTrust())
    edge = await stub(running.target, "envoy")
    token = (("authorization", f"Bearer {TokenMaker().token('ada')}"),)
    with pytest.raises(Unavailable) as refused:
        await edge.EchoAtEdge(echo.Request(), metadata=token)
    assert refused.value.reason == "TOKEN_TRUST_STALE"


def _self_signed(name: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = [
        x509.UniformResourceIdentifier(f"spiffe://idmesh.local/{name}"),
        x509.DNSName(f"{name}.idmesh"),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("with_certificate", [False, True])
async def test_no_certificate_and_a_forged_one_do_not_get_in(
    start: Any, echo: SimpleNamespace, ca: MeshCa, with_certificate: bool
) -> None:
    running = await start()
    key, chain = _self_signed("alpha") if with_certificate else (None, None)
    credentials = grpc.ssl_channel_credentials(ca.pem, key, chain)
    options = [("grpc.ssl_target_name_override", "echo.idmesh"), ("grpc.enable_retries", 0)]
    async with grpc.aio.secure_channel(running.target, credentials, options) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await echo.grpc.EchoServiceStub(channel).Echo(echo.Request(), timeout=3)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert running.servicer.calls == 0


async def test_a_certificate_of_another_trust_domain_names_no_service(
    start: Any, echo: SimpleNamespace, ca: MeshCa, tmp_path: Path
) -> None:
    running = await start()
    elsewhere = tmp_path / "elsewhere"
    await rpc.ensure_certificate(elsewhere, "alpha", ca.sign, trust_domain="other.example")
    tls = TlsConfig(folder=str(elsewhere), trust_domain="other.example")
    # The health check is refused as well, and would be all that the caller sees.
    channels = rpc.Channels({"echo": running.target}, tls, "alpha", health_check=False)
    with pytest.raises(Unauthenticated) as refused:
        await echo.grpc.EchoServiceStub(channels.get("echo")).Echo(echo.Request())
    assert refused.value.reason == "CALLER_UNIDENTIFIED"
    await channels.close()


async def test_a_client_does_not_talk_to_a_server_of_another_name(
    start: Any, stub: Any, echo: Any
) -> None:
    impostor = await start("other")
    with pytest.raises(Unavailable) as refused:
        await (await stub(impostor.target)).Echo(echo.Request(), timeout=2)
    assert refused.value.reason == "UPSTREAM_UNAVAILABLE"
    assert impostor.servicer.calls == 0
