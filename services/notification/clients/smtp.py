"""E-mail over SMTP."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

import aiosmtplib

from services.common.clock import Clock
from services.common.config import read_secret
from services.notification.domain.message import DeliveryDelayed, DeliveryRefused, Text


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
    """Hands each message to one mail server, on a connection of its own."""

    def __init__(self, config: SmtpConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock

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
            await aiosmtplib.send(
                mail,
                hostname=config.host,
                port=config.port,
                use_tls=config.security == "tls",
                start_tls=config.security == "starttls",
                username=config.user or None,
                password=read_secret(config.password_file) if config.password_file else None,
                timeout=config.timeout_s,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {refused.code for refused in error.recipients}
            raise _refusal(min(codes, default=450)) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(error.code) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise DeliveryDelayed(type(error).__name__) from error


def _refusal(code: int) -> DeliveryRefused | DeliveryDelayed:
    """A 5xx reply is final, a 4xx is not (RFC 5321, 4.2.1). Its text may name the recipient."""
    return DeliveryRefused(f"SMTP {code}") if code >= 500 else DeliveryDelayed(f"SMTP {code}")
