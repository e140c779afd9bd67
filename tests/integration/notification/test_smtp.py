from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from uuid import uuid4

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.common.clock import SystemClock
from services.notification.clients.smtp import SmtpConfig, SmtpSender
from services.notification.domain.message import DeliveryDelayed, DeliveryRefused, Text

pytestmark = pytest.mark.integration


class Mailbox:
    """A real SMTP server that keeps what it gets and answers as it is told."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.rcpt_reply = "250 OK"
        self.servers: list[SMTP] = []

    def serve(self) -> SMTP:
        self.servers.append(SMTP(self, loop=asyncio.get_running_loop()))
        return self.servers[-1]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt_reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt_reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 OK"


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(box.serve, "127.0.0.1", 0)
    yield box, server.sockets[0].getsockname()[1]
    server.close()


def sender(port: int) -> SmtpSender:
    config = SmtpConfig(host="127.0.0.1", port=port, security="none", timeout_s=5.0)
    return SmtpSender(config, SystemClock())


async def test_a_mail_arrives_with_our_message_id_and_every_script(
    mailbox: tuple[Mailbox, int],
) -> None:
    box, port = mailbox
    message_id = uuid4()
    await sender(port).send(message_id, Text("ada@example.org", "رقم", "مرحبا\nété\n"))
    mail = message_from_bytes(box.mails[0], policy=policy.default)
    assert str(message_id) in mail["Message-ID"]
    assert mail["Subject"] == "رقم"
    assert mail.get_content().splitlines() == ["مرحبا", "été"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("550 no such user", DeliveryRefused), ("451 come back later", DeliveryDelayed)],
)
async def test_a_final_reply_refuses_and_a_passing_one_delays(
    mailbox: tuple[Mailbox, int], reply: str, expected: type[Exception]
) -> None:
    box, port = mailbox
    box.rcpt_reply = reply
    with pytest.raises(expected) as refused:
        await sender(port).send(uuid4(), Text("ada@example.org", "s", "b"))
    assert "ada" not in str(refused.value)


async def test_a_server_that_is_away_delays(unused_tcp_port: int) -> None:
    with pytest.raises(DeliveryDelayed):
        await sender(unused_tcp_port).send(uuid4(), Text("ada@example.org", "s", "b"))


async def test_a_connection_is_kept_and_one_that_was_closed_is_made_anew(
    mailbox: tuple[Mailbox, int],
) -> None:
    box, port = mailbox
    kept = sender(port)
    text = Text("ada@example.org", "s", "b")
    await kept.send(uuid4(), text)
    await kept.send(uuid4(), text)
    assert (len(box.mails), len(box.servers)) == (2, 1)
    transport = box.servers[0].transport
    assert transport is not None
    transport.close()
    await kept.send(uuid4(), text)
    assert (len(box.mails), len(box.servers)) == (3, 2)
    box.rcpt_reply = "550 no such user"
    with pytest.raises(DeliveryRefused):
        await kept.send(uuid4(), text)
    box.rcpt_reply = "250 OK"
    await asyncio.gather(*(kept.send(uuid4(), text) for _ in range(3)))
    assert len(box.mails) == 6
