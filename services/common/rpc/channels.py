"""Channels to other services: mTLS, deadlines, retries, and a new certificate now and then.

A client channel of gRPC keeps the certificate it was made with. So what callers hold is a
stand-in that outlives the channel: when the certificate changes it makes a new channel for
new calls and lets the old one finish its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool

from services.common import telemetry
from services.common.config import ConfigError, TlsConfig
from services.common.rpc import certificates
from services.common.rpc.call import CORRELATION_METADATA, call_or_none
from services.common.rpc.client_call import AnswerCall, StreamCall
from services.common.rpc.observation import inject_trace
from services.common.rpc.server import MAX_MESSAGE_BYTES, MAX_UPLOAD_S

DEFAULT_TIMEOUT_S = 10.0
# How often to look whether the certificate changed; a look is two system calls.
CERTIFICATE_CHECK_S = 1.0
# A subscription may hold an old channel until the server ends it by connection age.
OLD_CHANNEL_GRACE_S = 3 * 3_600.0

_REPEATABLE = frozenset(
    {
        descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS,
        descriptor_pb2.MethodOptions.IDEMPOTENT,
    }
)
# A server that comes back must be met by the retries of a call made meanwhile: together they
# wait longer than the longest pause between two attempts to connect.
_LONGEST_RECONNECT_MS = 1_000
_RETRY = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

_log = telemetry.get_logger("rpc.channels")


class Channels:
    """The channels of one service to its peers, by the peers' names.

    Args:
        peers: service to gRPC target, as in `ipv4:127.0.0.1:7006` or `dns:///abis:7006`.
        tls: where the calling service's certificates lie.
        name: the calling service.
        default_timeout_s: the deadline of a call with one response that names none.
        health_check: stop using an instance that says NOT_SERVING.
    """

    def __init__(
        self,
        peers: Mapping[str, str],
        tls: TlsConfig,
        name: str,
        *,
        default_timeout_s: float = DEFAULT_TIMEOUT_S,
        health_check: bool = True,
    ) -> None:
        self._peers = dict(peers)
        self._tls = tls
        self._name = name
        self._default_timeout_s = default_timeout_s
        self._health_check = health_check
        self._channels: dict[str, ManagedChannel] = {}

    def get(self, service: str) -> grpc.aio.Channel:
        """Return the channel to a service; it is made once and stays good.

        Raises:
            ConfigError: the service is not among the peers.
        """
        known = self._channels.get(service)
        if known is not None:
            return known
        if service not in self._peers:
            raise ConfigError(f"services.{self._name}.peers.{service}: required key is missing")
        made = ManagedChannel(
            self._peers[service],
            self._tls,
            service_name=service,
            name=self._name,
            default_timeout_s=self._default_timeout_s,
            health_check=self._health_check,
        )
        self._channels[service] = made
        return made

    async def close(self, grace_s: float = 0.0) -> None:
        """Close them all; calls under way have grace_s to finish."""
        await asyncio.gather(*(channel.close(grace_s) for channel in self._channels.values()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def channel(target: str, tls: TlsConfig, *, service_name: str, name: str) -> grpc.aio.Channel:
    """Return one channel to service_name at target, called as name."""
    return ManagedChannel(target, tls, service_name=service_name, name=name)


class ManagedChannel(grpc.aio.Channel):
    """A channel that survives its certificate; give it to generated stubs."""

    def __init__(
        self,
        target: str,
        tls: TlsConfig,
        *,
        service_name: str,
        name: str,
        default_timeout_s: float = DEFAULT_TIMEOUT_S,
        health_check: bool = True,
    ) -> None:
        self._target = target
        self._tls = tls
        self._service_name = service_name
        self._name = name
        self._default_timeout_s = default_timeout_s
        self._health_check = health_check
        self._repeatable: dict[str, list[str]] = {}
        self._live: grpc.aio.Channel | None = None
        self._fingerprint: tuple[str, int] | None = None
        self._look_at = 0.0
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def live(self) -> grpc.aio.Channel:
        """Return the channel for a call made now."""
        now = time.monotonic()
        if self._live is None or now >= self._look_at:
            self._look_at = now + CERTIFICATE_CHECK_S
            self._renew()
        assert self._live is not None
        return self._live

    def timeout_s(self, given: float | None, default: float | None) -> float | None:
        """Return how long a call may take: no longer than what is left of the call it serves."""
        wanted = given if given is not None else default
        serving = call_or_none()
        left = serving.remaining_s() if serving is not None else None
        if left is None:
            return wanted
        return left if wanted is None else min(wanted, left)

    def unary_unary(self, method: str, *serializers: Any, **more: Any) -> Any:
        """Return what calls method; see grpc.aio.Channel."""
        default_s = self._default_timeout_s
        return self._caller(
            _Method("unary_unary", method, AnswerCall, default_s, serializers, more)
        )

    def unary_stream(self, method: str, *serializers: Any, **more: Any) -> Any:
        """Return what calls method; see grpc.aio.Channel."""
        return self._caller(_Method("unary_stream", method, StreamCall, None, serializers, more))

    def stream_unary(self, method: str, *serializers: Any, **more: Any) -> Any:
        """Return what calls method; see grpc.aio.Channel."""
        return self._caller(
            _Method("stream_unary", method, AnswerCall, MAX_UPLOAD_S, serializers, more)
        )

    def stream_stream(self, method: str, *serializers: Any, **more: Any) -> Any:
        """Return what calls method; see grpc.aio.Channel."""
        return self._caller(_Method("stream_stream", method, StreamCall, None, serializers, more))

    async def close(self, grace: float | None = None) -> None:
        """Close it; calls under way have grace seconds to finish, and no more are taken."""
        self._closed = True
        for task in list(self._closing):
            task.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        live, self._live = self._live, None
        if live is not None:
            await live.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Return the state of the live channel."""
        return self.live().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the live channel's state is another."""
        await self.live().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the live channel is connected."""
        await self.live().channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _caller(self, method: _Method) -> _MultiCallable:
        self._learn(method.path)
        return _MultiCallable(self, method)

    def _learn(self, method: str) -> None:
        """Note which RPCs of the method's service may be repeated, for the retry policy."""
        service = method.lstrip("/").partition("/")[0]
        if service in self._repeatable:
            return
        try:
            descriptor = descriptor_pool.Default().FindServiceByName(service)
        except KeyError:
            self._repeatable[service] = []
            return
        self._repeatable[service] = [
            method.name
            for method in descriptor.methods
            if method.GetOptions().idempotency_level in _REPEATABLE
        ]
        # The policy is fixed when a channel is made: the next call needs a new one.
        self._fingerprint = None
        self._look_at = 0.0

    def _renew(self) -> None:
        """Make a channel with the present certificate unless the live one has it."""
        if self._closed:
            raise grpc.aio.UsageError("the channel is closed")
        try:
            seen = certificates.fingerprint(self._tls, self._name)
            if self._live is not None and seen == self._fingerprint:
                return
            pem = certificates.read(self._tls, self._name)
        except OSError as error:
            if self._live is None:
                raise ConfigError(f"{self._name}: no certificate: {error.strerror}") from error
            return
        old, self._live = self._live, self._made(pem)
        self._fingerprint = pem.fingerprint
        if old is not None:
            task = asyncio.get_running_loop().create_task(old.close(OLD_CHANNEL_GRACE_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            _log.info("channel_renewed", service=self._name, peer=self._service_name)

    def _made(self, pem: certificates.Pem) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(pem.ca, pem.key, pem.chain)
        return grpc.aio.secure_channel(self._target, credentials, options=self._options())

    def _options(self) -> list[tuple[str, Any]]:
        authority = certificates.dns_name(self._service_name)
        return [
            ("grpc.ssl_target_name_override", authority),
            ("grpc.default_authority", authority),
            ("grpc.service_config", json.dumps(self._service_config())),
            ("grpc.service_config_disable_resolution", 1),
            ("grpc.enable_retries", 1),
            ("grpc.enable_http_proxy", 0),
            # A pooled connection would keep the old certificate.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", _LONGEST_RECONNECT_MS),
            ("grpc.dns_min_time_between_resolutions_ms", 5_000),
        ]

    def _service_config(self) -> dict[str, object]:
        names = [
            {"service": service, "method": method}
            for service, methods in self._repeatable.items()
            for method in methods
        ]
        config: dict[str, object] = {
            "loadBalancingConfig": [{"round_robin": {}}],
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
        }
        if names:
            config["methodConfig"] = [{"name": names, "retryPolicy": _RETRY}]
        if self._health_check:
            config["healthCheckConfig"] = {"serviceName": ""}
        return config


@dataclass(frozen=True)
class _Method:
    """One method as a stub asks for it; default_s is its deadline when the call names none."""

    kind: str
    path: str
    wrap: type[AnswerCall] | type[StreamCall]
    default_s: float | None
    serializers: tuple[Any, ...]
    more: Mapping[str, Any]


class _MultiCallable:
    """A stub's method, on whichever channel is live."""

    def __init__(self, channel: ManagedChannel, method: _Method) -> None:
        self._channel = channel
        self._method = method
        self._made_on: grpc.aio.Channel | None = None
        self._inner: Any = None

    def __call__(
        self,
        request: Any = None,
        *,
        timeout: float | None = None,
        metadata: Any = None,
        **more: Any,
    ) -> Any:
        method = self._method
        live = self._channel.live()
        if live is not self._made_on:
            make = getattr(live, method.kind)
            self._inner = make(method.path, *method.serializers, **method.more)
            self._made_on = live
        call = self._inner(
            request,
            timeout=self._channel.timeout_s(timeout, method.default_s),
            metadata=_metadata(metadata),
            **more,
        )
        return method.wrap(call, method.path)


def _metadata(given: Any) -> tuple[tuple[str, str | bytes], ...]:
    sent = list(given or ())
    correlation = telemetry.correlation_id()
    if correlation and all(key != CORRELATION_METADATA for key, _ in sent):
        sent.append((CORRELATION_METADATA, correlation))
    inject_trace(sent)
    return tuple(sent)
