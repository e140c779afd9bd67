"""What goes wrong on one side arrives on the other as what it was, and nothing else does."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import grpc
import pytest

from services.common import rpc, telemetry
from services.common.errors import (
    AlreadyExists,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    PlatformError,
    Unavailable,
)

pytestmark = pytest.mark.integration
SERVICE = "/idmesh_test.echo.v1.EchoService"


async def test_an_error_arrives_with_its_class_reason_metadata_and_field(
    start: Any, stub: Any, echo: Any
) -> None:
    running = await start()
    with pytest.raises(AlreadyExists) as raised:
        await (await stub(running.target)).Echo(echo.Request(fail="taken"))
    error = raised.value
    assert (error.reason, error.message, error.field) == ("NAME_TAKEN", "It is taken.", "text")
    assert dict(error.metadata) == {"by": "x"}
    assert error.retry_after_s is None


async def test_a_retry_delay_arrives(start: Any, stub: Any, echo: Any) -> None:
    running = await start()
    with pytest.raises(Unavailable) as raised:
        await (await stub(running.target)).EchoAgain(echo.Request(fail="away"))
    assert (raised.value.reason, raised.value.retry_after_s) == ("SOMETHING_AWAY", 2.5)
    # Repeatable, but told to wait longer than a channel should sit through.
    assert running.servicer.calls == 1


async def _answers(call: Any) -> list[Any]:
    return [answer async for answer in call] if hasattr(call, "__aiter__") else [await call]


@pytest.mark.parametrize("kind", ["Count", "Join", "Chat"])
async def test_every_kind_of_stream_carries_errors(
    start: Any, stub: Any, echo: Any, kind: str
) -> None:
    running = await start()
    client = await stub(running.target)
    wrong = echo.Request(inner=echo.pb2.Inner(code="lower"))

    async def requests() -> Any:
        yield echo.Request(text="first")
        yield wrong

    calls = {
        "Count": lambda: client.Count(wrong),
        "Join": lambda: client.Join(requests()),
        "Chat": lambda: client.Chat(requests()),
    }
    with pytest.raises(InvalidArgument) as raised:
        await _answers(calls[kind]())
    assert raised.value.field == "inner.code"
    if kind == "Chat":
        assert running.servicer.calls == 1


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"inner": {"code": "lower"}}, "inner.code"),
        ({"inners": [{}, {"code": "lower"}]}, "inners[1].code"),
        ({"by_name": {"secret": {"code": "lower"}}}, "by_name[*].code"),
        ({"inner": {"colour": 77}}, "inner.colour"),
        ({"inners": [{"colour": 1}, {"colour": 78}]}, "inners[1].colour"),
        ({"by_name": {"secret": {"colour": 79}}}, "by_name[*].colour"),
        ({"colours": {"secret": 80}}, "colours[*]"),
    ],
)
async def test_a_broken_rule_names_the_field_and_never_the_value(
    start: Any, stub: Any, echo: Any, broken: dict[str, Any], field: str
) -> None:
    running = await start()
    with pytest.raises(InvalidArgument) as raised:
        await (await stub(running.target)).Echo(echo.Request(**broken))
    assert (raised.value.reason, raised.value.field) == ("REQUEST_INVALID", field)
    assert not re.search(r"lower|secret|7[789]|80", str(raised.value.violations))
    assert running.servicer.calls == 0


@pytest.mark.parametrize(
    ("caller", "given", "refused"),
    [
        ("alpha", None, False),
        ("envoy", None, True),
        ("alpha", True, True),
        ("envoy", False, False),
    ],
)
async def test_unknown_fields_are_refused_of_the_edge_or_as_asked(
    start: Any, raw: Any, echo: Any, *, caller: str, given: bool | None, refused: bool
) -> None:
    newer = echo.pb2.EchoRequestV2(text="x", unheard_of="y").SerializeToString()
    running = await start(refuse_unknown_fields=given)
    method = "EchoAtEdge" if caller == "envoy" else "Echo"
    call = (await raw(running.target, caller)).unary_unary(f"{SERVICE}/{method}")
    if refused:
        with pytest.raises(InvalidArgument) as raised:
            await call(newer)
        assert (raised.value.reason, raised.value.field) == ("REQUEST_INVALID", "99")
        assert running.servicer.calls == 0
    else:
        assert echo.pb2.EchoResponse.FromString(await call(newer)).text == "x"


@pytest.mark.parametrize(
    ("newer", "fields"),
    [
        ({"inner": {"unheard_of": "y", "more": 1}}, ["inner.97", "inner.98"]),
        ({"inners": [{}, {"more": 1}]}, ["inners[1].97"]),
        ({"by_name": {"secret": {"more": 1}}}, ["by_name[*].97"]),
    ],
)
async def test_an_unknown_field_is_told_by_its_place_and_number(
    start: Any, raw: Any, echo: Any, newer: dict[str, Any], fields: list[str]
) -> None:
    message = echo.pb2.EchoRequestV2(**newer).SerializeToString()
    call = (await raw((await start()).target, "envoy")).unary_unary(f"{SERVICE}/EchoAtEdge")
    with pytest.raises(InvalidArgument) as raised:
        await call(message)
    assert [violation.field for violation in raised.value.violations] == fields


async def test_very_many_unknown_fields_cost_the_server_little(
    start: Any, raw: Any, echo: Any
) -> None:
    call = (await raw((await start()).target, "envoy")).unary_unary(f"{SERVICE}/EchoAtEdge")
    with pytest.raises(InvalidArgument) as raised:
        await call(b"\xf8\x3f\x01" * 1_000_000, timeout=1.0)
    assert len(raised.value.violations) == 1


@pytest.mark.parametrize("kind", ["Count", "Join", "Chat"])
async def test_streams_from_the_edge_may_hold_nothing_unknown_either(
    start: Any, raw: Any, echo: Any, kind: str
) -> None:
    known = echo.Request(text="x", count=1).SerializeToString()
    newer = echo.pb2.EchoRequestV2(text="x", unheard_of="y").SerializeToString()
    edge = await raw((await start()).target, "envoy")

    async def ask(*messages: bytes) -> list[bytes]:
        path = f"{SERVICE}/{kind}AtEdge"
        if kind == "Count":
            return [answer async for answer in edge.unary_stream(path)(messages[-1])]
        if kind == "Join":
            return [await edge.stream_unary(path)(iter(messages))]
        return [answer async for answer in edge.stream_stream(path)(iter(messages))]

    assert await ask(known, known)
    with pytest.raises(InvalidArgument) as raised:
        await ask(known, newer)
    assert (raised.value.reason, raised.value.field) == ("REQUEST_INVALID", "99")


async def test_an_unknown_enum_number_from_the_edge_is_refused(
    start: Any, stub: Any, echo: Any
) -> None:
    edge = await stub((await start()).target, "envoy")
    with pytest.raises(InvalidArgument) as raised:
        await edge.EchoAtEdge(echo.Request(inner={"colour": 77}))
    assert (raised.value.reason, raised.value.field) == ("REQUEST_INVALID", "inner.colour")


async def test_bytes_that_are_no_message_are_refused_without_a_trace(
    start: Any, join: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    running = await start()
    channels = rpc.Channels({"echo": running.target}, await join("alpha"), "alpha")
    call: Any = channels.get("echo").unary_unary("/idmesh_test.echo.v1.EchoService/Echo")
    with pytest.raises(InvalidArgument) as raised:
        await call(b"\xff\xff")
    assert raised.value.reason == "REQUEST_MALFORMED"
    assert "Traceback" not in capfd.readouterr().err
    await channels.close()


async def test_a_bug_tells_the_caller_a_correlation_id_and_the_log_no_data(
    start: Any, stub: Any, echo: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    running = await start()
    with telemetry.correlated("test-correlation-1"), pytest.raises(Internal) as raised:
        await (await stub(running.target)).Echo(echo.Request(text="private", fail="bug"))
    assert raised.value.reason == "INTERNAL"
    assert dict(raised.value.metadata) == {"correlation_id": "test-correlation-1"}
    assert "secret" not in str(raised.value)
    logged = capfd.readouterr().err
    assert "builtins.KeyError" in logged
    assert "_fail" in logged
    assert "test-correlation-1" in logged
    assert "secret" not in logged
    assert "private" not in logged


async def test_a_peer_that_is_not_there_is_unavailable(stub: Any, echo: Any) -> None:
    client = await stub("ipv4:127.0.0.1:1")
    with pytest.raises(Unavailable) as raised:
        await client.Echo(echo.Request(), timeout=3)
    assert raised.value.reason == "UPSTREAM_UNAVAILABLE"


async def test_an_unknown_method_is_unimplemented(start: Any, join: Any) -> None:
    running = await start()
    channels = rpc.Channels({"echo": running.target}, await join("alpha"), "alpha")
    call: Any = channels.get("echo").unary_unary("/idmesh_test.echo.v1.EchoService/Nothing")
    with pytest.raises(PlatformError) as raised:
        await call(b"")
    assert (raised.value.code, raised.value.reason) == ("UNIMPLEMENTED", "METHOD_UNKNOWN")
    await channels.close()


async def test_only_what_may_be_repeated_is_retried(start: Any, stub: Any, echo: Any) -> None:
    running = await start()
    client = await stub(running.target)
    assert (await client.EchoAgain(echo.Request(text="x", fail="twice"))).text == "x"
    assert running.servicer.calls == 3
    running.servicer.calls = 0
    with pytest.raises(Unavailable):
        await client.Echo(echo.Request(text="x", fail="twice"))
    assert running.servicer.calls == 1


async def test_an_error_that_retrying_cannot_mend_is_not_retried(
    start: Any, stub: Any, echo: Any
) -> None:
    running = await start()
    with pytest.raises(NotFound):
        await (await stub(running.target)).EchoAgain(echo.Request(fail="missing"))
    assert running.servicer.calls == 1


async def test_a_deadline_is_handed_on_and_kept(start: Any, stub: Any, echo: Any) -> None:
    last, first = await start(), await start()
    first.servicer.onward = (await stub(last.target, "beta")).EchoAgain
    client = await stub(first.target)
    answer = await client.EchoAgain(echo.Request(), timeout=2.0)
    assert answer.caller == "beta"
    assert 1.0 < answer.remaining_s <= 2.0

    async def never(request: Any) -> Any:
        await asyncio.Event().wait()

    last.servicer.onward = never
    began = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded):
        await client.EchoAgain(echo.Request(), timeout=0.3)
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_call_without_a_deadline_gets_the_servers(start: Any, join: Any, echo: Any) -> None:
    running = await start(max_unary_s=0.3)
    channels = rpc.Channels({"echo": running.target}, await join("alpha"), "alpha")
    client = echo.grpc.EchoServiceStub(channels.get("echo"))
    began = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded) as raised:
        await client.Echo(echo.Request(delay_s=5.0), timeout=60.0)
    assert raised.value.reason == "DEADLINE_EXCEEDED"
    assert asyncio.get_running_loop().time() - began < 2.0
    await channels.close()


async def test_work_that_outlives_its_call_can_leave_its_deadline(
    start: Any, stub: Any, echo: Any
) -> None:
    last, first = await start(), await start()
    onward = await stub(last.target, "beta")
    later: list[asyncio.Task[Any]] = []

    async def detach(request: Any) -> Any:
        async def work() -> Any:
            await asyncio.sleep(0.4)
            return await onward.EchoAgain(echo.Request(text="done"))

        with rpc.detached():
            later.append(asyncio.create_task(work()))
        return echo.pb2.EchoResponse()

    first.servicer.onward = detach
    await (await stub(first.target)).EchoAgain(echo.Request(), timeout=0.3)
    assert (await later[0]).text == "done"


async def test_a_correlation_id_is_handed_on_and_a_bad_one_replaced(
    start: Any, stub: Any, echo: Any
) -> None:
    last, first = await start(), await start()
    first.servicer.onward = (await stub(last.target, "beta")).EchoAgain
    client = await stub(first.target)
    with telemetry.correlated("abc-def-12345"):
        assert (await client.EchoAgain(echo.Request())).correlation_id == "abc-def-12345"
    sent = (("x-correlation-id", "123456789012"),)
    answer = await client.EchoAgain(echo.Request(), metadata=sent)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.correlation_id)


async def test_a_cancelled_call_is_cancelled_on_the_server(
    start: Any, stub: Any, echo: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    running = await start()
    client = await stub(running.target)
    task = asyncio.ensure_future(client.Echo(echo.Request(delay_s=30.0)))
    await running.servicer.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if '"CANCELLED"' in (logged := capfd.readouterr().err):
            break
        await asyncio.sleep(0.02)
    assert '"CANCELLED"' in logged


async def test_a_stream_can_be_read_and_written_by_hand(start: Any, stub: Any, echo: Any) -> None:
    running = await start()
    call = (await stub(running.target)).Chat()
    for text in ("a", "b"):
        await call.write(echo.Request(text=text))
        assert (await call.read()).text == text
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
