"""Configuration of the notification service."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig
from services.notification.clients.sms import SmsConfig
from services.notification.clients.smtp import SmtpConfig


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """A channel without its section is refused when a message asks for it."""

    postgres: PostgresConfig
    vault: VaultConfig
    smtp: SmtpConfig | None = None
    sms: SmsConfig | None = None
    # Messages sent at the same time.
    senders: int = 4
    # A message that cannot be delivered for so long has failed.
    give_up_after_s: float = 3 * 86400.0
