"""HTTP to Vault: one pool, a time limit for each call, one retry of a lost connection."""

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
from services.common.vault.breaker import Breaker
from services.common.vault.errors import away, sealed
from services.common.vault.limits import VaultLimits

_METER = metrics.get_meter("idmesh.vault")
_CALL_S = _METER.create_histogram(
    "idmesh_vault_call_seconds", unit="s", description="Time of a request, by verb and outcome."
)
_TOO_MANY = 429


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
        self._base = (config.address or "http://vault").rstrip("/")
        self.breaker = Breaker(limits)

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
        self.breaker.enter()
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            async with asyncio.timeout(timeout_s or self._limits.call_s):
                answer = await self._send(method, path, body, token)
        except TimeoutError as error:
            outcome = "timeout"
            failure = away("timeout")
            self.breaker.failed(failure)
            raise failure from error
        except PlatformError as error:
            outcome = error.reason
            self.breaker.failed(error)
            raise
        except BaseException:
            self.breaker.abandoned()
            raise
        else:
            outcome = str(answer.status)
            self.breaker.succeeded()
            return answer
        finally:
            labels = {"operation": _operation(path), "outcome": outcome}
            _CALL_S.record(time.perf_counter() - started, labels)

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: str
    ) -> Answer:
        try:
            return await self._send_once(method, path, body, token)
        except (aiohttp.ClientConnectionError, ConnectionError):
            # A kept connection may have ended while idle, and every call may be repeated.
            try:
                return await self._send_once(method, path, body, token)
            except (aiohttp.ClientError, OSError) as error:
                raise away(type(error).__name__) from error
        except (aiohttp.ClientError, OSError) as error:
            raise away(type(error).__name__) from error

    async def _send_once(
        self, method: str, path: str, body: Mapping[str, Any] | None, token: str
    ) -> Answer:
        assert self._session is not None, "the client is not open"
        headers = {"X-Vault-Token": token} if token else {}
        async with self._session.request(
            method,
            f"{self._base}/v1/{path}",
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
    known = ("encrypt", "decrypt", "hmac", "sign", "rewrap", "datakey", "keys", "auth", "sys")
    return next((part for part in path.split("/") if part in known), "other")
