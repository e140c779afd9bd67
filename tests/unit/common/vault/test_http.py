from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import uvloop

from services.common.vault import http_answer
from services.common.vault.http import HttpClient, ServerGoneError
from services.common.vault.http_answer import AnswerMalformedError, AnswerReader

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def an_answer(body: bytes, *more: bytes) -> bytes:
    head = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


class Server:
    """Answers each request with the next of its answers; None ends the connection instead."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = []
        self.asked: list[bytes] = []
        self.connections = 0
        self.go = asyncio.Event()
        self.go.set()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[16:]) for line in head.split(b"\r\n")
                     if line.startswith(b"Content-Length: ")), 0
                )  # fmt: skip
                self.asked.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if self.answers else an_answer(b"{}")
                await self.go.wait()
                if answer is None:
                    return
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_unix_server(made.serve, tmp_path / "s")
    async with listening:
        yield made
        made.go.set()
        made.hang_up()


@pytest.fixture
async def client(server: Server, tmp_path: Path) -> AsyncIterator[HttpClient]:
    made = HttpClient("http://vault", str(tmp_path / "s"), connections=2, headers={"X-A": "b"})
    yield made
    made.close()


async def _bodies(client: HttpClient, paths: Sequence[str]) -> list[bytes]:
    answers = await asyncio.gather(*(client.request("GET", path, {}, None) for path in paths))
    return [body for _, body in answers]


async def test_a_connection_is_kept_and_requests_are_as_written(
    client: HttpClient, server: Server
) -> None:
    server.answers = [CHUNKED, an_answer(b""), an_answer(b"x")]
    assert await client.request("POST", "/v1/a", {"X-Vault-Token": "t"}, b'{"a":1}') == (
        200,
        b"abcde",
    )
    assert await _bodies(client, ["/v1/b"]) == [b""]
    assert await _bodies(client, ["/v1/c"]) == [b"x"]
    assert server.connections == 1
    assert server.asked[0] == (
        b"POST /v1/a HTTP/1.1\r\nHost: vault\r\nX-A: b\r\nX-Vault-Token: t\r\n"
        b'Content-Length: 7\r\n\r\n{"a":1}'
    )
    assert server.asked[1] == b"GET /v1/b HTTP/1.1\r\nHost: vault\r\nX-A: b\r\n\r\n"


async def test_no_more_connections_are_made_than_allowed(
    client: HttpClient, server: Server
) -> None:
    assert await _bodies(client, ["/v1/a"] * 9) == [b"{}"] * 9
    assert server.connections == 2


async def test_a_lost_connection_is_told_and_the_next_request_makes_another(
    client: HttpClient, server: Server
) -> None:
    server.answers = [None]
    with pytest.raises(ServerGoneError):
        await client.request("GET", "/v1/a", {}, None)
    assert await _bodies(client, ["/v1/a"]) == [b"{}"]
    server.hang_up()
    await asyncio.sleep(0.01)
    assert await _bodies(client, ["/v1/a"]) == [b"{}"]
    assert server.connections == 3


async def test_the_answer_to_a_request_that_was_given_up_is_nobody_elses(
    client: HttpClient, server: Server
) -> None:
    server.answers = [an_answer(b"first"), an_answer(b"second")]
    server.go.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await client.request("GET", "/v1/a", {}, None)
    server.go.set()
    assert await _bodies(client, ["/v1/b"]) == [b"second"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-what\r\n\r\n",
        an_answer(b"a" * 50),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n",
    ],
)
async def test_what_is_no_answer_or_too_long_ends_the_connection(
    client: HttpClient, server: Server, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_answer, "MAX_BODY_BYTES", 40)
    server.answers = [answer]
    with pytest.raises(ServerGoneError):
        await client.request("GET", "/v1/a", {}, None)
    assert await _bodies(client, ["/v1/b"]) == [b"{}"]


async def test_a_server_that_wants_to_close_is_asked_again_on_another_connection(
    client: HttpClient, server: Server
) -> None:
    server.answers = [an_answer(b"x", b"Connection: close")]
    assert await _bodies(client, ["/v1/a"]) == [b"x"]
    assert await _bodies(client, ["/v1/a"]) == [b"{}"]
    assert server.connections == 2


async def test_nothing_is_smuggled_in_by_a_path_or_a_header(
    client: HttpClient, server: Server
) -> None:
    await client.request("GET", "/v1/a b\r\nX-Evil: 1\r\n\r\nGET /", {}, None)
    assert server.asked[0].startswith(b"GET /v1/a%20b%0D%0AX-Evil:%201%0D%0A%0D%0AGET%20/ HTTP/1.1")
    with pytest.raises(ValueError, match="does not fit"):
        await client.request("GET", "/v1/a", {"X-Vault-Token": "t\r\nX-Evil: 1"}, None)


async def test_no_server_is_an_os_error(tmp_path: Path) -> None:
    client = HttpClient("http://vault", str(tmp_path / "none"), connections=1, headers={})
    with pytest.raises(OSError, match="No such file"):
        await client.request("GET", "/v1/a", {}, None)


def test_it_runs_on_the_loop_that_services_run_on(tmp_path: Path) -> None:
    async def ask() -> tuple[int, bytes]:
        server = await asyncio.start_unix_server(Server().serve, tmp_path / "s")
        client = HttpClient("http://vault", str(tmp_path / "s"), connections=1, headers={})
        async with server:
            answer = await client.request("GET", "/v1/a", {}, None)
            client.close()
            return answer

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask()) == (200, b"{}")


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        (CHUNKED, 200, b"abcde"),
        (an_answer(b"ab"), 200, b"ab"),
        (an_answer(b""), 200, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + an_answer(b"ab"), 200, b"ab"),
        (b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 204, b""),
        (b"HTTP/1.1 503\r\ncontent-length:2\r\n\r\n{}", 503, b"{}"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
            b"A;x=y\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
            200,
            b"0123456789",
        ),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(
    sent: bytes, status: int, body: bytes, step: int
) -> None:
    reader = AnswerReader()
    pieces = [sent[at : at + step] for at in range(0, len(sent), step)]
    assert [reader.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert (reader.status, reader.body, reader.keep_alive) == (status, body, True)
    assert not reader.surplus


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n Content-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * http_answer.MAX_HEAD_BYTES,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(sent: bytes) -> None:
    with pytest.raises(AnswerMalformedError):
        AnswerReader().feed(sent)


def test_more_than_the_answer_is_noticed() -> None:
    reader = AnswerReader()
    assert reader.feed(an_answer(b"a") + b"HTTP")
    assert reader.surplus
