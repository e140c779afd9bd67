"""Composition root of the gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from idmesh.audit.v1 import audit_service_pb2_grpc
from idmesh.authentication.v1 import authentication_service_pb2_grpc
from idmesh.gateway.v1 import gateway_service_pb2, gateway_service_pb2_grpc
from idmesh.partner.v1 import partner_service_pb2_grpc

from services.common import feed, mesh, response_signing
from services.common.clock import SystemClock
from services.common.process import Built, Service
from services.common.response_signing import ResponseSigner
from services.common.telemetry import Telemetry
from services.common.vault import VaultClient
from services.gateway import openapi
from services.gateway.clients.audit import AuditClient
from services.gateway.clients.authentication import AuthenticationClient
from services.gateway.clients.partner import PartnerClient
from services.gateway.config import Config
from services.gateway.domain.directory import Directory
from services.gateway.follower import EVENTS, DirectoryFollower
from services.gateway.servicer import GatewayServicer
from services.gateway.usecases.admit import Admit
from services.gateway.usecases.answer import AnswerPartner
from services.gateway.usecases.encryption_certificates import EncryptionCertificates
from services.gateway.usecases.key_hashes import KeyHashes
from services.gateway.usecases.report_refusals import ReportRefusals

NAME = "gateway"
_SERVICE = gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"]


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, follow partner into memory, serve once that has caught up."""
    async with mesh.join(config, NAME) as member:
        clock, directory = SystemClock(), Directory()
        signer = ResponseSigner(
            _certify(member.vault, config.response_certificate_s),
            clock,
            threads=config.signing_threads,
        )
        async with signer:
            follower = feed.MemoryFollower(
                feed.source(member.channels.get("partner")),
                name="partner",
                event_types=EVENTS,
                handler=DirectoryFollower(directory).apply,
                on_restart=directory.clear,
            )
            refusals = ReportRefusals(
                directory,
                AuditClient(audit_service_pb2_grpc.AuditServiceStub(member.channels.get("audit"))),
                clock,
                interval_s=config.refusals_s,
            )
            servicer = _servicer(config, member, directory, signer, follower, refusals=refusals)
            member.server.add(
                gateway_service_pb2_grpc.add_GatewayServiceServicer_to_server, servicer, _SERVICE
            )
            await member.server.set_serving(_SERVICE.full_name, False)

            async def serve_when_ready() -> None:
                await follower.ready.wait()
                await member.server.set_serving(_SERVICE.full_name, True)

            loops = [
                *member.background, follower.run, serve_when_ready, signer.run, refusals.run
            ]  # fmt: skip
            yield Built(name=NAME, server=member.server, background=loops)


def _servicer(
    config: Config,
    member: mesh.Membership,
    directory: Directory,
    signer: ResponseSigner,
    follower: feed.MemoryFollower,
    *,
    refusals: ReportRefusals,
) -> GatewayServicer:
    clock = SystemClock()
    keys = KeyHashes(
        directory,
        member.vault,
        clock,
        ttl_s=config.key_cache_s,
        max_entries=config.key_cache_entries,
        keeper=PartnerClient(
            partner_service_pb2_grpc.PartnerServiceStub(member.channels.get("partner"))
        ),
    )
    authentication = AuthenticationClient(
        authentication_service_pb2_grpc.AuthenticationServiceStub(
            member.channels.get("authentication")
        ),
        config.authentication_timeout_s,
    )
    admit = Admit(directory, keys, clock, max_body_bytes=config.max_body_bytes)
    answer = AnswerPartner(
        admit, authentication, signer, clock, refusals, max_body_bytes=config.max_body_bytes
    )
    document = json.dumps(openapi.document(openapi.service_files()), separators=(",", ":"))
    return GatewayServicer(
        answer,
        EncryptionCertificates(authentication, clock),
        document.encode(),
        follower.ready.is_set,
        clock,
    )


def _certify(vault: VaultClient, ttl_s: int) -> response_signing.Certify:
    async def certify(csr: bytes) -> bytes:
        issued = await vault.sign_csr(response_signing.ROLE, csr, common_name=NAME, ttl_s=ttl_s)
        return issued.certificate_pem

    return certify
