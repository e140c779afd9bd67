"""HTTP to Vault: one pool, a time limit for each call, one retry of a lost connection.

Where Vault is a cluster, a call that a node fails or is late with goes to the next.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from opentelemetry import metrics

from services.common.config import VaultConfig
from services.common.errors import PlatformError
from services.common.vault.errors import away, sealed
from services.common.vault.limits import VaultLimits
from services.common.vault.nodes import Nodes

_METER = metrics.get_meter("idmesh.vault")
_CALL_S = _METER.create_histogram(
    "idmesh_vault_call_seconds", unit="s", description="Time of a request, by verb and outcome."
)
_TOO_MANY = 429
_SETTLING_S = 0.2
_OPERATIONS = ("encrypt", "decrypt", "hmac", "sign", "rewrap", "keys", "auth", "sys")
# Doing them twice at once costs a little and changes nothing.
_REPEATABLE = frozenset({"encrypt", "decrypt", "hmac", "rewrap"})


@dataclass(frozen=True)
class Answer:
    """A status and its JSON. A status from 500 on comes only with a batch's results."""

    status: int
    body: Mapping[str, Any]

    @property
    def has_results(self) -> bool:
        """Whether it says what became of each item of a batch."""
        return bool((self.body.get("data") or {}).get("batch_results"))

    @property
    def errors(self) -> str:
        """The server's messages, joined; for telling cases apart, never for a caller."""
        return "; ".join(str(each) for each in self.body.get("errors") or ())


class Transport:
    """A pool of connections to one Vault, over TCP or a unix socket."""

    def __init__(self, config: VaultConfig, limits: VaultLimits) -> None:
        self._config = config
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None
        addresses = (config.address or "http://vault", *config.standby_addresses)
        self._nodes = Nodes([address.rstrip("/") for address in addresses], limits)

    @property
    def is_cluster(self) -> bool:
        """Whether a node may be behind another."""
        return bool(self._config.standby_addresses)

    async def open(self) -> None:
        """Make the pool; connects when it is used."""
        connector: aiohttp.BaseConnector
        if self._config.unix_socket:
            connector = aiohttp.UnixConnector(
                self._config.unix_socket, limit=self._limits.connections
            )
        else:
            connector = aiohttp.TCPConnector(limit=self._limits.connections)
        self._session = aiohttp.ClientSession(
            connector=connector,
            # Follows neither proxies nor redirects: a token goes to the configured address only.
            trust_env=False,
            # Each costs a call time, and says nothing to Vault.
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"X-Vault-Request": "true", "Content-Type": "application/json"},
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str = "",
        timeout_s: float | None = None,
    ) -> Answer:
        """Return an answer, also one that refuses.

        Raises:
            Unavailable: VAULT_UNAVAILABLE or VAULT_SEALED.
        """
        started = time.perf_counter()
        outcome = "cancelled"
        operation = _operation(path)

        async def send(base: str) -> Answer:
            return await self._send(base, method, path, body, token, timeout_s)

        try:
            answer = await self._nodes.call(send, repeatable=operation in _REPEATABLE)
        except PlatformError as error:
            late = error.metadata.get("cause") == "timeout"
            outcome = "timeout" if late else error.reason
            raise
        else:
            outcome = str(answer.status)
            return answer
        finally:
            labels = {"operation": operation, "outcome": outcome}
            _CALL_S.record(time.perf_counter() - started, labels)

    async def call_settled(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str = ""
    ) -> Answer:
        """Return an answer about something that was made just now, perhaps by another node.

        A standby refuses what it has not heard of yet, so a cluster's refusal counts only when
        it lasts.
        """
        deadline = time.monotonic() + self._limits.lag_s
        while True:
            answer = await self.call(method, path, body, token=token)
            is_final = not self.is_cluster or time.monotonic() >= deadline
            if answer.status < 400 or is_final:
                return answer
            await asyncio.sleep(_SETTLING_S)

    async def _send(  # noqa: PLR0917 - a request's parts
        self,
        base: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        token: str,
        timeout_s: float | None,
    ) -> Answer:
        url = f"{base}/v1/{path}"
        try:
            async with asyncio.timeout(timeout_s or self._limits.call_s):
                try:
                    return await self._send_once(method, url, body, token)
                except (aiohttp.ClientConnectionError, ConnectionError):
                    # A kept connection may have ended while idle, and every call may be repeated.
                    return await self._send_once(method, url, body, token)
        except TimeoutError as error:
            raise away("timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            raise away(type(error).__name__) from error

    async def _send_once(
        self, method: str, url: str, body: Mapping[str, Any] | None, token: str
    ) -> Answer:
        assert self._session is not None, "the client is not open"
        headers = {"X-Vault-Token": token} if token else {}
        async with self._session.request(
            method,
            url,
            data=json.dumps(body).encode() if body is not None else None,
            headers=headers,
            allow_redirects=False,
        ) as response:
            payload = await response.read()
        if response.status == 503:
            raise sealed()
        if 300 <= response.status < 400:
            raise away(f"status {response.status}")
        if response.status == _TOO_MANY:
            raise away("too many requests")
        try:
            answer = Answer(response.status, json.loads(payload) if payload else {})
        except ValueError as error:
            raise away("no JSON") from error
        # An RSA ciphertext that does not decrypt is reported with status 500. Taken for a fault
        # of the server it would let anybody who can send one open the breaker for all.
        if response.status >= 500 and not answer.has_results:
            raise away(f"status {response.status}")
        return answer


def _operation(path: str) -> str:
    """Return the verb of a path (decrypt, hmac, sign): no key names in metrics."""
    return next((part for part in path.split("/") if part in _OPERATIONS), "other")
