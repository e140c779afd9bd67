"""A mail server that delivers nothing: it keeps what it is given in memory and shows it.

For one machine only: whoever can reach its page reads all mail, one-time passwords included.
`python -m services.local.mail_sink --smtp-port N --page-port N`
"""

from __future__ import annotations

import argparse
import asyncio
import html
import signal
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 1000
LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    """One message, as its page and its JSON show it."""

    id: int
    received_at: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str


@dataclass
class Mailbox:
    """The newest messages, oldest first."""

    mails: deque[Mail] = field(default_factory=lambda: deque(maxlen=KEPT))
    count: int = 0

    def add(self, sender: str, recipients: Sequence[str], content: bytes) -> Mail:
        """Keep a message."""
        message = message_from_bytes(content, policy=policy.default)
        body = message.get_body(("plain", "html"))
        self.count += 1
        mail = Mail(
            id=self.count,
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            sender=sender,
            recipients=tuple(recipients),
            subject=str(message.get("subject", "")),
            text=str(body.get_content()) if body is not None else "",
        )
        self.mails.append(mail)
        return mail


class Receiver:
    """What aiosmtpd calls for each message."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a message."""
        content = envelope.content or b""
        data = content.encode() if isinstance(content, str) else content
        self._mailbox.add(envelope.mail_from or "", envelope.rcpt_tos, data)
        return "250 OK"


def page(mailbox: Mailbox) -> web.Application:
    """The web page and its JSON.

    GET / shows all mail; GET /api/mails?to=ADDRESS&after=ID gives it as JSON, oldest first;
    DELETE /api/mails forgets it; GET /health answers.
    """
    app = web.Application()

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=_render(mailbox), content_type="text/html")

    async def tell(request: web.Request) -> web.Response:
        to = request.query.get("to")
        after = int(request.query.get("after", "0"))
        chosen = [
            asdict(mail)
            for mail in mailbox.mails
            if mail.id > after and (to is None or to in mail.recipients)
        ]
        return web.json_response({"mails": chosen})

    async def forget(_: web.Request) -> web.Response:
        mailbox.mails.clear()
        return web.Response(status=204)

    async def health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app.router.add_get("/", show)
    app.router.add_get("/api/mails", tell)
    app.router.add_delete("/api/mails", forget)
    app.router.add_get("/health", health)
    return app


def _render(mailbox: Mailbox) -> str:
    rows = []
    for mail in reversed(mailbox.mails):
        to = html.escape(", ".join(mail.recipients))
        rows.append(
            f"<article><h2>{html.escape(mail.subject)}</h2>"
            f"<p>{html.escape(mail.received_at)} to {to}</p>"
            f"<pre>{html.escape(mail.text)}</pre></article>"
        )
    body = "".join(rows) or "<p>No mail yet.</p>"
    return (
        "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=3>"
        "<title>idmesh mail</title><style>body{font:16px sans-serif;max-width:50em;margin:2em auto}"
        "article{border-top:1px solid #ccc}pre{white-space:pre-wrap}</style>"
        f"<h1>Mail</h1>{body}"
    )


async def serve(smtp_port: int, page_port: int) -> None:
    """Serve until a signal to end."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    smtp = await loop.create_server(
        lambda: SMTP(
            Receiver(mailbox),
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            hostname="localhost",
            loop=loop,
        ),
        "127.0.0.1",
        smtp_port,
    )
    runner = web.AppRunner(page(mailbox), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", page_port).start()
    await ended.wait()
    smtp.close()
    await runner.cleanup()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Keeps mail in memory and shows it.")
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--page-port", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.smtp_port, arguments.page_port))


if __name__ == "__main__":
    main()
