"""The token that MOSIP's data share wants to see as a cookie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp

from services.common.clock import Clock
from services.common.mosip_wire.times import format_time

COOKIE: Final = "Authorization"


class ShareLogin:
    """Logs in to MOSIP's authmanager as a client; a token is used until it is refused.

    Args:
        url: of the operation clientidsecretkey.
        secret: reads the client's secret, anew for each login.

    Source: mosip/documentation, biometrics/abis-api.md, authentication token.
    """

    def __init__(
        self, clock: Clock, *, url: str, app_id: str, client_id: str, secret: Callable[[], str]
    ) -> None:
        self._clock = clock
        self._url = url
        self._app_id = app_id
        self._client_id = client_id
        self._secret = secret
        self._token = ""
        self._one_login = asyncio.Lock()

    async def token(self, session: aiohttp.ClientSession, *, refused: str = "") -> str:
        """Return a token, another than one that was refused.

        Raises:
            ClientError: authmanager is away, or gives none.
        """
        async with self._one_login:
            if not self._token or self._token == refused:
                self._token = await self._log_in(session)
            return self._token

    async def _log_in(self, session: aiohttp.ClientSession) -> str:
        request = {
            "id": "string",
            "metadata": {},
            "request": {
                "appId": self._app_id,
                "clientId": self._client_id,
                "secretKey": self._secret(),
            },
            "requesttime": format_time(self._clock.now()),
            "version": "1.0",
        }
        async with session.post(self._url, json=request, allow_redirects=False) as response:
            found = [
                morsel.value
                for name, morsel in response.cookies.items()
                if name.lower() == COOKIE.lower()
            ]
            if response.status != 200 or not found:
                raise aiohttp.ClientError("no token was given")
            return found[0]
