"""A service's membership of the mesh: what every composition root opens first.

Vault login, a certificate made here and signed by Vault, channels to the peers, the
database, and the server; and the loops that keep them fresh.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from idmesh.feed.v1 import feed_service_pb2, feed_service_pb2_grpc
from idmesh.keys.v1 import keys_service_pb2, keys_service_pb2_grpc

from services.common import feed, rotation, rpc, tokens
from services.common.config import ServiceConfig
from services.common.patience import patiently
from services.common.postgres import Database
from services.common.vault import VaultClient

Background = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Membership:
    """Open until the context of `join` ends.

    `background` already holds the renewal of the Vault token and of the certificate;
    a composition root adds its own loops and hands the list on.
    """

    name: str
    vault: VaultClient
    channels: rpc.Channels
    server: rpc.Server
    background: list[Background] = field(default_factory=list)
    opened_database: Database | None = None

    @property
    def database(self) -> Database:
        """The service's own schema; only for services that are configured with one."""
        assert self.opened_database is not None, f"{self.name} has no database"
        return self.opened_database

    def serve_feed(self) -> None:
        """Serve what the service publishes, each event to those who may read it."""
        changes = feed.FeedServicer(self.database)
        self.server.add(
            feed_service_pb2_grpc.add_FeedServiceServicer_to_server,
            changes,
            feed_service_pb2.DESCRIPTOR.services_by_name["FeedService"],
        )
        self.background.append(changes.run)

    def column(
        self, column: rotation.Column, on_changed: rotation.columns.OnChanged | None = None
    ) -> rotation.ColumnHolding:
        """Return one of the service's columns as what it keeps under a key."""
        return rotation.ColumnHolding(column, self.database, self.vault, on_changed)

    def serve_keys(
        self, holdings: Sequence[rotation.Holding], pace: rotation.Pace | None = None
    ) -> None:
        """Tell what the service keeps under keys, and bring it under their newest versions."""
        rewrapper = rotation.Rewrapper(self.database, self.vault, holdings, pace)
        self.server.add(
            keys_service_pb2_grpc.add_KeysServiceServicer_to_server,
            rotation.KeysServicer(rewrapper),
            keys_service_pb2.DESCRIPTOR.services_by_name["KeysService"],
        )
        self.background.append(rewrapper.run)

    def verify_operators(self) -> None:
        """Judge operators' tokens by what access says, which is followed in the background."""
        trust = tokens.TokenTrust(tokens.source(self.channels.get("access")))
        self.server.verify_operators(trust)
        self.background.append(trust.run)


@asynccontextmanager
async def join(config: ServiceConfig, name: str) -> AsyncIterator[Membership]:
    """Open what a service needs to be part of the mesh.

    Raises:
        Unauthenticated: VAULT_LOGIN_REFUSED, the secret id was used or has expired.
        Unavailable: Vault or the database is away.
    """
    assert config.vault is not None, f"{name} is configured without Vault"
    async with AsyncExitStack() as stack:
        vault = await stack.enter_async_context(VaultClient(config.vault))
        sign = _signer(vault, config, name)
        tls = config.tls
        await patiently(
            lambda: rpc.ensure_certificate(tls.folder, name, sign, trust_domain=tls.trust_domain)
        )

        async def renew() -> None:
            await rpc.renew_forever(tls.folder, name, sign, trust_domain=tls.trust_domain)

        database = None
        if config.postgres is not None:
            database = await stack.enter_async_context(Database(config.postgres, service=name))
        channels = rpc.Channels(config.peers, tls, name)
        stack.push_async_callback(channels.close)
        server = rpc.Server(config.listen, tls, name)
        yield Membership(name, vault, channels, server, [vault.run, renew], database)


def _signer(
    vault: VaultClient, config: ServiceConfig, name: str
) -> Callable[[bytes], Coroutine[Any, Any, tuple[bytes, bytes]]]:
    assert config.vault is not None
    role = config.vault.pki_role
    mount, _, _ = role.rpartition("/")

    async def sign(csr: bytes) -> tuple[bytes, bytes]:
        issued = await vault.sign_csr(
            role,
            csr,
            uri_sans=[f"spiffe://{config.tls.trust_domain}/{name}"],
            dns_names=[f"{name}.idmesh", "localhost"],
            ttl_s=config.tls.ttl_s,
        )
        root = await vault.ca_pem(f"{mount}-root")
        return issued.chain_pem, root

    return sign
