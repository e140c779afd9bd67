"""Keys of issuers elsewhere, fetched now and then and kept while they are away."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import aiohttp

from services.access.domain.issuers import IssuerConfig
from services.common import telemetry
from services.common.tokens import jwk

MOST_BYTES = 256 * 1024
_TIMEOUT_S = 10.0
_RETRY_S = 5.0

_log = telemetry.get_logger("access.issuers")


class FetchedKeys:
    """The last good JWK set of each issuer."""

    def __init__(self, issuers: Mapping[str, IssuerConfig]) -> None:
        self._issuers = issuers
        self._jwks: dict[str, str] = {}
        self.on_change: Callable[[], None] = lambda: None

    def jwks(self) -> Mapping[str, str]:
        """Return each issuer's last JWK set by name; what was never fetched is left out."""
        return self._jwks

    async def run(self) -> None:
        """Fetch for ever."""
        await asyncio.gather(*(self._follow(*each) for each in self._issuers.items()))

    async def _follow(self, name: str, config: IssuerConfig) -> None:
        while True:
            wait_s = _RETRY_S
            try:
                document = rewritten(await self._fetched(config), config.algorithms)
                if document != self._jwks.get(name):
                    self._jwks = {**self._jwks, name: document}
                    self.on_change()
                wait_s = config.refresh_s
            except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
                _log.warning("issuer_keys_not_fetched", issuer=name, error=type(error).__name__)
            await asyncio.sleep(wait_s)

    async def _fetched(self, config: IssuerConfig) -> bytes:
        if config.jwks_file:
            return await asyncio.to_thread(Path(config.jwks_file).read_bytes)
        context = ssl.create_default_context(cafile=config.ca_file or None)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(config.jwks_uri, ssl=context, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise ValueError("the issuer did not answer with keys")
            body = await answer.content.read(MOST_BYTES + 1)
            while len(body) <= MOST_BYTES and (more := await answer.content.read(MOST_BYTES)):
                body += more
        if len(body) > MOST_BYTES:
            raise ValueError("the issuer's answer is too large")
        return body


def rewritten(document: bytes, algorithms: Collection[str]) -> str:
    """Return a JWK set with nothing in it but the public keys that are understood.

    A key that only one of the algorithms fits says so: then the edge takes it for no other.

    Raises:
        ValueError: there is no key for any of the algorithms.
    """
    listed = []
    for kid, key in sorted(jwk.keys_of(document).items()):
        fitting = [each for each in jwk.algorithms_of(key) if each in algorithms]
        if fitting:
            named = {"alg": fitting[0]} if len(fitting) == 1 else {}
            listed.append({**jwk.to_jwk(key), "use": "sig", "kid": kid, **named})
    if not listed:
        raise ValueError("there is no key that is understood")
    return json.dumps({"keys": listed}, separators=(",", ":"))
