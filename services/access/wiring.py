"""Composition root of the access service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from idmesh.access.v1 import access_service_pb2, access_service_pb2_grpc

from services.access.clients.keys import VaultSecretHashes, VaultTokenSigner
from services.access.config import Config
from services.access.servicer import AccessServicer
from services.access.store import holdings
from services.access.store.operators import StoredOperators
from services.access.usecases.issue_token import IssueToken, Rules
from services.access.usecases.put_operator import PutOperator
from services.common import mesh
from services.common.clock import SystemClock
from services.common.process import Built, Service
from services.common.telemetry import Telemetry

NAME = "access"


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect and serve tokens."""
    async with mesh.join(config, NAME) as member:
        operators = StoredOperators(member.database)
        hashes = VaultSecretHashes(member.vault)
        signer = VaultTokenSigner(member.vault)
        rules = Rules(
            issuer=config.issuer,
            audience=config.audience,
            token_ttl_s=config.token_ttl_s,
            wrong_secrets_allowed=config.wrong_secrets_allowed,
            locked_for_s=config.locked_for_s,
        )
        servicer = AccessServicer(
            PutOperator(operators, hashes),
            IssueToken(operators, hashes, signer, SystemClock(), rules),
            signer,
            token_ttl_s=config.token_ttl_s,
        )
        member.server.add(
            access_service_pb2_grpc.add_AccessServiceServicer_to_server,
            servicer,
            access_service_pb2.DESCRIPTOR.services_by_name["AccessService"],
        )
        member.serve_feed()
        member.serve_keys([member.column(each) for each in holdings.COLUMNS])
        yield Built(name=NAME, server=member.server, background=member.background)
