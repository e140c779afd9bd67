from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from idmesh.authentication.v1 import authentication_service_pb2 as pb
from idmesh.gateway.v1 import gateway_service_pb2

from services.common.config import structure
from services.common.errors import DeadlineExceeded, Internal, PlatformError, Unavailable
from services.gateway import convert
from services.gateway.clients.authentication import AuthenticationClient
from services.gateway.config import Config
from services.gateway.domain.request import Endpoint, VerifiedRequest

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Stub:
    def __init__(self, error: PlatformError | None = None) -> None:
        self._error = error
        self.asked: list[Any] = []

    async def AuthenticatePartner(self, request: Any, *, timeout: float) -> Any:
        self.asked.append(request)
        if self._error is not None:
            raise self._error
        return pb.AuthenticatePartnerResponse(body=b"exact", response_signature="a..b")

    async def ListEncryptionCertificates(self, request: Any, *, timeout: float) -> Any:
        if self._error is not None:
            raise self._error
        return pb.ListEncryptionCertificatesResponse(
            certificates=[pb.EncryptionCertificate(reference_id="PARTNER", certificate_pem="PEM")]
        )


def a_verified_request(endpoint: Endpoint = Endpoint.AUTH) -> VerifiedRequest:
    request = gateway_service_pb2.AuthenticateRequest(
        misp_licence_key="licence", partner_id="bank", api_key="key"
    )
    request.body.data = b"\x00exact bytes"
    metadata = (("signature", "a..b"), ("authorization", "x"), ("raw-bin", b"y"))
    read = convert.request_from_proto(endpoint, request, metadata, NOW)
    assert (read.signature, read.authorization) == ("a..b", "x")
    return VerifiedRequest(read, "misp", "policy", "key-id", b"der")


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_what_is_verified_is_passed_on_byte_for_byte(endpoint: Endpoint) -> None:
    stub = Stub()
    verified = a_verified_request(endpoint)
    answer = await AuthenticationClient(stub, 1.0).decide(verified)  # type: ignore[arg-type]
    assert (answer.body, answer.signature) == (b"exact", "a..b")
    [asked] = stub.asked
    assert asked.body == b"\x00exact bytes"
    assert asked.signature == "a..b"
    assert pb.Endpoint.Name(asked.endpoint) == f"ENDPOINT_{endpoint.name}"
    assert asked.received_at.ToDatetime(tzinfo=UTC) == NOW
    assert asked.partner == pb.VerifiedPartner(
        partner_id="bank",
        misp_id="misp",
        policy_id="policy",
        api_key_id="key-id",
        certificate=b"der",
    )


@pytest.mark.parametrize(
    "error",
    [
        DeadlineExceeded("DEADLINE_EXCEEDED", "Late."),
        Internal("INTERNAL", "Broken."),
        Unavailable("UPSTREAM_UNAVAILABLE", "Away.", retry_after_s=3.0),
    ],
)
async def test_whatever_goes_wrong_behind_is_an_outage(error: PlatformError) -> None:
    client = AuthenticationClient(Stub(error), 1.0)  # type: ignore[arg-type]
    for call in (client.decide(a_verified_request()), client.encryption_certificates()):
        with pytest.raises(Unavailable) as refused:
            await call
        assert refused.value.reason == "AUTHENTICATION_UNAVAILABLE"
        assert refused.value.retry_after_s == (error.retry_after_s or 1.0)


async def test_certificates_come_by_reference_id() -> None:
    client = AuthenticationClient(Stub(), 1.0)  # type: ignore[arg-type]
    assert await client.encryption_certificates() == {"PARTNER": "PEM"}


def test_the_configuration_needs_no_database() -> None:
    table = {
        "listen": "127.0.0.1:0",
        "tls": {"folder": "/tls"},
        "vault": {
            "address": "http://127.0.0.1:8200",
            "role_id": "role",
            "secret_id_file": "/secret",
            "pki_role": "core/pki/gateway",
        },
    }
    config = structure(Config, table, "services.gateway")
    assert config.max_body_bytes == 1_048_576
    assert config.postgres is None
