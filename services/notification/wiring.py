"""Composition root of the notification service."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

import aiohttp
from idmesh.notification.v1 import notification_service_pb2, notification_service_pb2_grpc

from services.common import mesh
from services.common.clock import SystemClock
from services.common.process import Built, Service
from services.common.telemetry import Telemetry
from services.notification.clients.sealer import KeepingSealer
from services.notification.clients.sms import HttpSmsSender
from services.notification.clients.smtp import SmtpSender
from services.notification.config import Config
from services.notification.domain.message import Channel
from services.notification.domain.template import Catalogue, template_from_table
from services.notification.ports import Senders
from services.notification.servicer import NotificationServicer
from services.notification.store import holdings
from services.notification.store.messages import StoredMessages
from services.notification.usecases.accept_message import AcceptMessage
from services.notification.usecases.deliver_messages import DeliverMessages

NAME = "notification"


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect, take messages, send them."""
    clock = SystemClock()
    async with mesh.join(config, NAME) as member, aiohttp.ClientSession() as session:
        senders: Senders = {}
        if config.smtp is not None:
            senders[Channel.EMAIL] = SmtpSender(config.smtp, clock)
        if config.sms is not None:
            senders[Channel.SMS] = HttpSmsSender(config.sms, session)
        messages = StoredMessages(member.database)
        sealer = KeepingSealer(member.vault)
        accept = AcceptMessage(messages, sealer, load_catalogue(), senders.keys(), clock)
        deliver = DeliverMessages(
            messages,
            sealer,
            senders,
            clock,
            give_up_after_s=config.give_up_after_s,
            loops=config.senders,
        )
        member.server.add(
            notification_service_pb2_grpc.add_NotificationServiceServicer_to_server,
            NotificationServicer(accept, messages, deliver.wake),
            notification_service_pb2.DESCRIPTOR.services_by_name["NotificationService"],
        )
        member.serve_feed()
        member.serve_keys([member.column(each) for each in holdings.COLUMNS])
        member.background.extend([deliver.run] * config.senders)
        yield Built(name=NAME, server=member.server, background=member.background)


def load_catalogue() -> Catalogue:
    """Return the templates that come with the service."""
    raw = resources.files("services.notification").joinpath("templates.toml").read_text("utf-8")
    tables = tomllib.loads(raw)
    return Catalogue({name: template_from_table(name, table) for name, table in tables.items()})
