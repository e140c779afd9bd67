"""A logged-in session: every call carries the token, and the token is kept alive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from services.common import telemetry
from services.common.config import VaultConfig
from services.common.errors import PlatformError, Unavailable
from services.common.vault.errors import VaultLoginRefused, forbidden, item_error, unknown_key
from services.common.vault.limits import VaultLimits
from services.common.vault.login import Token, login_for, token_from
from services.common.vault.transport import Answer, Transport

_LOG = telemetry.get_logger(__name__)
_RETRY_S = 1.0
# A renewal that gives less than this part of the first life has met the token's last day.
_LAST_PART = 0.1


class Session:
    """Logs in, renews at half life, and tells a lost login from a forbidden call."""

    def __init__(self, config: VaultConfig, limits: VaultLimits) -> None:
        self._limits = limits
        self._transport = Transport(config, limits)
        self._login = login_for(config)
        self._token: Token | None = None
        self._first_ttl_s = 0.0
        self._lost: VaultLoginRefused | None = None
        self._lost_event = asyncio.Event()
        self._renewal: asyncio.Task[None] | None = None
        self._relogin = asyncio.Lock()

    async def open(self) -> None:
        """Log in; retries while Vault is away or sealed, for connect_s.

        Raises:
            VaultLoginRefused: end with status 75 and be started with a new secret id.
            Unavailable: VAULT_UNAVAILABLE or VAULT_SEALED, for all that time.
        """
        await self._transport.open()
        deadline = time.monotonic() + self._limits.connect_s
        try:
            while True:
                try:
                    self._keep(await self._login.login(self._transport))
                    break
                except Unavailable as error:
                    if time.monotonic() >= deadline:
                        raise
                    _LOG.info("vault_not_ready", reason=error.reason)
                    await asyncio.sleep(min(_RETRY_S, self._limits.connect_s / 10))
        except BaseException:
            await self._transport.close()
            raise
        self._renewal = asyncio.create_task(self._renew_forever())

    async def close(self) -> None:
        """Stop renewing and close the connections; the token ends by itself."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)
            self._renewal = None
        await self._transport.close()

    async def until_lost(self) -> None:
        """Raise VaultLoginRefused when the login is lost; until then wait."""
        await self._lost_event.wait()
        assert self._lost is not None
        raise self._lost

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Mapping[str, Any]:
        """Return the answer's body.

        Raises:
            Unavailable, PermissionDenied, NotFound, InvalidArgument: see services.common.vault.
            VaultLoginRefused: the login is lost for good.
        """
        answer = await self.raw(method, path, body, timeout_s=timeout_s)
        if answer.status == 404:
            raise unknown_key()
        if answer.status >= 400:
            raise item_error(answer.errors)
        return answer.body

    async def raw(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Answer:
        """Return the answer, whatever its status but 403."""
        for attempt in range(2):
            token = self._present()
            answer = await self._transport.call(
                method, path, body, token=token.value, timeout_s=timeout_s
            )
            if answer.status != 403:
                return answer
            # A node of a cluster may not have heard of the token yet.
            if attempt or not (await self._was_lost(token) or self._transport.is_cluster):
                break
        raise forbidden()

    def _present(self) -> Token:
        if self._lost is not None:
            raise self._lost
        assert self._token is not None, "the client is not open"
        return self._token

    def _keep(self, token: Token) -> None:
        self._token = token
        self._first_ttl_s = self._first_ttl_s or token.ttl_s

    async def _was_lost(self, token: Token) -> bool:
        """Find out why a call was forbidden; True: a new login was made, try again."""
        async with self._relogin:
            if self._token is not token:
                return True
            look = await self._transport.call_settled(
                "GET", "auth/token/lookup-self", token=token.value
            )
            if look.status == 200:
                return False
            await self._log_in_again()
            return True

    async def _log_in_again(self) -> None:
        """Log in with what there is to log in with, or give the login up."""
        try:
            if not self._login.again_possible():
                raise VaultLoginRefused("The token is no longer valid.")
            self._keep(await self._login.login(self._transport))
        except VaultLoginRefused as error:
            self._lost = error
            self._lost_event.set()
            _LOG.error("vault_login_lost")
            raise

    async def _renew_forever(self) -> None:
        while self._lost is None:
            token = self._present()
            await asyncio.sleep(max(token.ttl_s / 2, 0.2))
            try:
                await self._renew()
            except VaultLoginRefused:
                return
            except PlatformError as error:
                _LOG.warning("vault_renewal_failed", reason=error.reason)
                await self._renew_soon()

    async def _renew_soon(self) -> None:
        """Go on trying until the token has expired; then the next call finds out."""
        while self._lost is None and time.monotonic() < self._present().expires_at:
            await asyncio.sleep(min(_RETRY_S, self._first_ttl_s / 10))
            try:
                await self._renew()
            except PlatformError:
                continue
            return

    async def _renew(self) -> None:
        token = self._present()
        answer = await self._transport.call("POST", "auth/token/renew-self", {}, token=token.value)
        async with self._relogin:
            if answer.status != 200:
                await self._log_in_again()
                return
            renewed = token_from(answer)
            if renewed.ttl_s < self._first_ttl_s * _LAST_PART:
                await self._log_in_again()
            else:
                self._keep(renewed)
