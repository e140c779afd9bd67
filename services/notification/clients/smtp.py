"""E-mail over SMTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

import aiosmtplib

from services.common.clock import Clock
from services.common.config import read_secret
from services.notification.domain.message import DeliveryDelayed, DeliveryRefused, Text

# A connection that nothing was sent on for so long is closed.
_IDLE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class SmtpConfig:
    """The mail server that takes our e-mail.

    `security` is "tls" from the first byte, "starttls", or "none" for a server on this
    machine. User and password file go together.
    """

    host: str
    port: int = 465
    sender: str = "no-reply@idmesh.local"
    security: str = "tls"
    user: str = ""
    password_file: str = ""
    timeout_s: float = 15.0

    def __post_init__(self) -> None:
        if self.security not in {"tls", "starttls", "none"}:
            raise ValueError('security must be "tls", "starttls" or "none"')
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file go together")


class SmtpSender:
    """Hands messages to one mail server, on connections that are kept for a few seconds."""

    def __init__(self, config: SmtpConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, message_id: UUID, text: Text) -> None:
        """Send one e-mail. The Message-ID is ours, so that a repeat can be recognised."""
        config = self._config
        mail = EmailMessage()
        mail["From"] = config.sender
        mail["To"] = text.recipient
        mail["Subject"] = text.subject
        mail["Date"] = format_datetime(self._clock.now())
        mail["Message-ID"] = f"<{message_id}@{config.sender.rpartition('@')[2]}>"
        mail.set_content(text.body)
        try:
            await self._hand_over(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {refused.code for refused in error.recipients}
            raise _refusal(min(codes, default=450)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error.code) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise DeliveryDelayed(type(error).__name__) from error

    async def _hand_over(self, mail: EmailMessage) -> None:
        kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                await self._on(kept, mail)
            except aiosmtplib.SMTPServerDisconnected:
                # The server kept it no longer than we did.
                kept = None
        if kept is None:
            await self._on(await self._connected(), mail)

    async def _on(self, client: aiosmtplib.SMTP, mail: EmailMessage) -> None:
        try:
            await client.send_message(mail)
        except BaseException:
            client.close()
            raise
        self._idle.append(client)
        asyncio.get_running_loop().call_later(_IDLE_S, self._let_go, client)

    async def _connected(self) -> aiosmtplib.SMTP:
        config = self._config
        client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            use_tls=config.security == "tls",
            start_tls=config.security == "starttls",
            username=config.user or None,
            password=read_secret(config.password_file) if config.password_file else None,
            timeout=config.timeout_s,
        )
        await client.connect()
        return client

    def _let_go(self, client: aiosmtplib.SMTP) -> None:
        if client in self._idle:
            self._idle.remove(client)
            client.close()


def _refusal(code: int) -> DeliveryRefused | DeliveryDelayed:
    """A 5xx reply is final, a 4xx is not (RFC 5321, 4.2.1). Its text may name the recipient."""
    return DeliveryRefused(f"SMTP {code}") if code >= 500 else DeliveryDelayed(f"SMTP {code}")
