"""A service's front: mTLS, allowed callers, health, reflection, drain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from idmesh.options.v1 import options_pb2

from services.common import telemetry
from services.common.config import ConfigError, TlsConfig
from services.common.rpc import certificates, edge_check
from services.common.rpc.call import EDGE
from services.common.rpc.interceptor import Handler, Interceptor, Route, VerifiesTokens
from services.common.rpc.observation import flush

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_UNARY_S = 30.0
MAX_UPLOAD_S = 300.0
MAX_CONNECTION_AGE_S = 3_600.0
# How long clients get to see NOT_SERVING before the door closes.
LAME_DUCK_S = 0.2

_log = telemetry.get_logger("rpc.server")


class Server:
    """Serves the protos of one service under its own certificate.

    Args:
        listen: HOST:PORT; port 0 takes a free one, see port.
        tls: where the service's certificates lie; there must be one when the server is made.
        name: the service's.
        max_message_bytes: the largest message taken or sent.
        max_unary_s: the deadline of a unary call that brings none, and the most one may bring.
        refuse_unknown_fields: whether requests with fields unknown here are refused: of every
            caller, which also refuses services newer than this server; of none; or, unless
            given, of those that come through the edge.
        max_connection_age_s: when clients are made to connect, and prove who they are, anew;
            an eighth of the certificate's life unless given.
        reuse_port: let several processes share the port.
    """

    def __init__(
        self,
        listen: str,
        tls: TlsConfig,
        name: str,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_unary_s: float = MAX_UNARY_S,
        refuse_unknown_fields: bool | None = None,
        max_connection_age_s: float | None = None,
        reuse_port: bool = False,
    ) -> None:
        self.name = name
        self.port = 0
        self._listen = listen
        self._tls = tls
        self._max_unary_s = max_unary_s
        self._refuse_unknown_fields = refuse_unknown_fields
        self._max_message_bytes = max_message_bytes
        self._max_connection_age_s = max_connection_age_s
        self._reuse_port = reuse_port
        self._interceptor = Interceptor(tls.trust_domain)
        self._handlers: dict[str, Handler] = {}
        self._services: list[str] = []
        self._at_edge: dict[str, MethodDescriptor] = {}
        self._routes: list[Route] = []
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._not_serving: set[str] = set()
        self._drained = False

    def add(
        self,
        add_to_server: Callable[[Any, Any], None],
        servicer: object,
        descriptor: ServiceDescriptor,
        *,
        max_deadline_s: Mapping[str, float] | None = None,
        refuse_unknown_fields: bool | None = None,
    ) -> None:
        """Serve a proto service; who may call what stands in its methods' `callers` option.

        Args:
            add_to_server: the generated add_XServicer_to_server.
            servicer: its implementation.
            descriptor: the service's descriptor.
            max_deadline_s: the longest that an RPC, by its short name, may take, in seconds.
            refuse_unknown_fields: overrides the server's.
        """
        limits = dict(max_deadline_s or {})
        unknown = set(limits) - set(descriptor.methods_by_name)
        assert not unknown, f"{descriptor.full_name} has no method {sorted(unknown)}"
        strict = self._refuse_unknown_fields
        if refuse_unknown_fields is not None:
            strict = refuse_unknown_fields
        routes = {
            method.name: Route(
                _path(descriptor, method),
                frozenset(method.GetOptions().Extensions[options_pb2.callers]),
                limits.get(method.name, self._default_deadline(method)),
                refuse_unknown_fields=strict,
            )
            for method in descriptor.methods
        }
        self._register(add_to_server, servicer, routes)
        self._services.append(descriptor.full_name)
        self._routes += routes.values()
        for method in descriptor.methods:
            if EDGE in routes[method.name].callers:
                self._at_edge[routes[method.name].method] = method

    def verify_operators(self, tokens: VerifiesTokens) -> None:
        """Judge the tokens of calls through the edge. Without this nobody is an operator here."""
        self._interceptor.tokens = tokens

    def answers(self, caller: str) -> bool:
        """Say whether caller may call anything here that it then waits for.

        A stream without end for everybody is no such thing: a drain ends subscriptions.
        """
        return any(
            caller in route.callers or (route.max_deadline_s is not None and route.allows(caller))
            for route in self._routes
        )

    async def start(self) -> None:
        """Listen and serve; port is then known and every service SERVING.

        Raises:
            ConfigError: there is no certificate, or the address cannot be listened on.
        """
        assert self._server is None, "a server starts once"
        self._add_standard_services()
        server = grpc.aio.server(options=self._options())
        server.add_generic_rpc_handlers((_Handlers(self._handlers),))
        try:
            self.port = server.add_secure_port(self._listen, self._credentials())
        except RuntimeError:
            raise ConfigError(f"{self.name}: cannot listen on {self._listen}") from None
        for service in self._services:
            if service not in self._not_serving:
                await self.set_serving(service, True)
        await server.start()
        self._server = server
        _log.info("serving", service=self.name, port=self.port)

    async def set_serving(self, service: str, serving: bool) -> None:
        """Set what the health service says of one service, by its full proto name."""
        status = health_pb2.HealthCheckResponse
        if not serving:
            self._not_serving.add(service)
        await self._health.set(service, status.SERVING if serving else status.NOT_SERVING)

    async def drain(self, grace_s: float = 20.0) -> None:
        """Stop without losing a call: whoever is being served has grace_s to be answered.

        Streams without a deadline are ended with UNAVAILABLE, SERVER_DRAINING: they are
        subscriptions, which never end by themselves.
        """
        if self._server is None or self._drained:
            return
        self._drained = True
        # Clients that watch go elsewhere while this instance still serves.
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(LAME_DUCK_S)
        self._interceptor.drain()
        await self._server.stop(grace_s)
        flush()
        _log.info("drained", service=self.name)

    def _default_deadline(self, method: MethodDescriptor) -> float | None:
        if method.server_streaming:
            return None
        return MAX_UPLOAD_S if method.client_streaming else self._max_unary_s

    def _register(
        self,
        add_to_server: Callable[[Any, Any], None],
        servicer: object,
        routes: Mapping[str, Route],
    ) -> None:
        collected = _Collector()
        add_to_server(servicer, collected)
        for name, handler in collected.handlers.items():
            route = routes[name]
            self._handlers[route.method] = self._interceptor.wrap(route, handler)

    def _add_standard_services(self) -> None:
        anybody = frozenset({"*", EDGE})
        checks = health_pb2.DESCRIPTOR.services_by_name["Health"]
        names = [*self._services, checks.full_name]
        schema = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
        reflected = reflection.aio.ReflectionServicer([*names, schema.full_name])
        for add, servicer, descriptor in (
            (health_pb2_grpc.add_HealthServicer_to_server, self._health, checks),
            (reflection_pb2_grpc.add_ServerReflectionServicer_to_server, reflected, schema),
        ):
            routes = {
                method.name: Route(
                    _path(descriptor, method),
                    anybody,
                    self._default_deadline(method),
                    validated=False,
                    quiet=True,
                )
                for method in descriptor.methods
            }
            self._register(add, servicer, routes)
        if self._at_edge:
            self._add_body_check()

    def _add_body_check(self) -> None:
        route = Route(
            edge_check.METHOD,
            frozenset({EDGE}),
            self._max_unary_s,
            refuse_unknown_fields=False,  # Envoy tells more than we ask
            validated=False,
            quiet=True,
        )
        handler = edge_check.BodyCheck(self._at_edge).handler()
        self._handlers[route.method] = self._interceptor.wrap(route, handler)

    def _credentials(self) -> grpc.ServerCredentials:
        try:
            present = certificates.read(self._tls, self.name)
        except OSError as error:
            raise ConfigError(f"{self.name}: no certificate: {error.strerror}") from error
        seen = present.fingerprint

        def fetch() -> Any:
            """Return a newer certificate if there is one. Each handshake asks, on its thread."""
            nonlocal seen
            with contextlib.suppress(OSError, ValueError):
                if certificates.fingerprint(self._tls, self.name) == seen:
                    return None
                newer = certificates.read(self._tls, self.name)
                configuration = _configuration(newer)
                seen = newer.fingerprint
                return configuration
            # It is being written, or gone: the present one goes on.
            return None

        return grpc.dynamic_ssl_server_credentials(
            _configuration(present), fetch, require_client_authentication=True
        )

    def _options(self) -> list[tuple[str, Any]]:
        age_ms = int(self._connection_age_s() * 1_000)
        return [
            ("grpc.max_receive_message_length", self._max_message_bytes),
            ("grpc.max_send_message_length", self._max_message_bytes),
            # A kept connection is not asked again who it is: so it must not be kept for long.
            ("grpc.max_connection_age_ms", age_ms),
            ("grpc.max_connection_age_grace_ms", age_ms),
            ("grpc.max_concurrent_streams", 1_024),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            # Without this a subscription that is quiet for long is taken for an attack.
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ("grpc.so_reuseport", int(self._reuse_port)),
        ]

    def _connection_age_s(self) -> float:
        if self._max_connection_age_s is not None:
            return self._max_connection_age_s
        certificate = certificates.stored(self._tls.folder, self.name)
        life = certificate.life_s() if certificate is not None else MAX_CONNECTION_AGE_S
        return min(MAX_CONNECTION_AGE_S, life / 8)


class _Collector:
    """Stands in for a server to learn which handlers the generated code would add."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Nothing: the same handlers come by name below."""

    def add_registered_method_handlers(self, _: str, handlers: Mapping[str, Handler]) -> None:
        self.handlers.update(handlers)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a method."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(handler_call_details.method)


def _path(descriptor: ServiceDescriptor, method: MethodDescriptor) -> str:
    return f"/{descriptor.full_name}/{method.name}"


def _configuration(pem: certificates.Pem) -> Any:
    return grpc.ssl_server_certificate_configuration([(pem.key, pem.chain)], pem.ca)
