"""SMS through an HTTP gateway."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import aiohttp

from services.common.config import read_secret
from services.notification.domain.message import DeliveryDelayed, DeliveryRefused, Text


@dataclass(frozen=True, kw_only=True)
class SmsConfig:
    """An HTTP gateway for SMS: JSON {"to", "text", "id"} is posted to `url`."""

    url: str
    token_file: str = ""
    timeout_s: float = 15.0


class HttpSmsSender:
    """Posts {"id", "to", "text"} as JSON; 2xx is taken, 4xx but 408 and 429 is refused."""

    def __init__(self, config: SmsConfig, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session

    async def send(self, message_id: UUID, text: Text) -> None:
        """Send one SMS."""
        headers = {}
        if self._config.token_file:
            headers["authorization"] = f"Bearer {read_secret(self._config.token_file)}"
        body = {"id": str(message_id), "to": text.recipient, "text": text.body}
        try:
            async with self._session.post(
                self._config.url,
                json=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self._config.timeout_s),
            ) as response:
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DeliveryDelayed(type(error).__name__) from error
        if 200 <= status < 300:
            return
        if 400 <= status < 500 and status not in {408, 429}:
            raise DeliveryRefused(f"HTTP {status}")
        raise DeliveryDelayed(f"HTTP {status}")
