"""Health, reflection, and stopping without losing a call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common import rpc
from services.common.errors import NotFound, Unavailable

pytestmark = pytest.mark.integration

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAME = "idmesh_test.echo.v1.EchoService"


async def test_draining_one_of_two_instances_under_load_loses_no_call(
    start: Any, stub: Any, echo: Any
) -> None:
    one, two = await start(), await start()
    client = await stub(f"ipv4:127.0.0.1:{one.server.port},127.0.0.1:{two.server.port}")
    instances: list[str] = []
    running = True

    async def load() -> None:
        while running:
            answer = await client.Echo(echo.Request(delay_s=0.01))
            instances.append(answer.instance)

    workers = [asyncio.create_task(load()) for _ in range(8)]
    await asyncio.sleep(0.5)
    assert set(instances) == {"0", "1"}
    await one.server.drain(5.0)
    at_drain = len(instances)
    await asyncio.sleep(0.3)
    running = False
    await asyncio.gather(*workers)
    assert set(instances[at_drain + 8 :]) == {"1"}


async def test_a_call_being_served_is_answered_while_the_server_drains(
    start: Any, stub: Any, echo: Any
) -> None:
    running = await start()
    client = await stub(running.target)
    slow = asyncio.ensure_future(client.Echo(echo.Request(text="slow", delay_s=0.8)))
    await running.servicer.asked.wait()
    await running.server.drain(5.0)
    assert (await slow).text == "slow"
    with pytest.raises(Unavailable):
        await client.Echo(echo.Request())


async def test_a_subscription_is_ended_and_does_not_hold_the_drain_up(
    start: Any, stub: Any, echo: Any
) -> None:
    running = await start()
    client = await stub(running.target)
    loop = asyncio.get_running_loop()

    async def subscribe(delay_s: float) -> str:
        with pytest.raises(Unavailable) as ended:
            async for _ in client.Count(echo.Request(delay_s=delay_s)):
                pass
        return ended.value.reason

    idle = asyncio.create_task(subscribe(60.0))
    busy = asyncio.create_task(subscribe(0.0))
    await asyncio.sleep(0.3)
    began = loop.time()
    await running.server.drain(20.0)
    assert loop.time() - began < 3.0
    assert {await idle, await busy} == {"SERVER_DRAINING"}


async def test_a_subscription_with_a_deadline_may_finish(start: Any, stub: Any, echo: Any) -> None:
    running = await start()
    client = await stub(running.target)
    call = client.Count(echo.Request(count=8, delay_s=0.1), timeout=10.0)
    drain = None
    seen = 0
    async for _ in call:
        seen += 1
        drain = drain or asyncio.create_task(running.server.drain(5.0))
    assert seen == 8
    assert drain is not None
    await drain


async def test_health_is_told_by_service_and_watched_to_the_end(
    start: Any, join: Any, echo: Any
) -> None:
    running = await start()
    channels = rpc.Channels(
        {"echo": running.target}, await join("alpha"), "alpha", health_check=False
    )
    health = health_pb2_grpc.HealthStub(channels.get("echo"))
    for name in ("", NAME):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == SERVING
    with pytest.raises(NotFound):
        await health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    seen = []

    async def watch() -> str:
        try:
            async for answer in health.Watch(health_pb2.HealthCheckRequest(service=NAME)):
                seen.append(answer.status)
        except Unavailable as error:
            return error.reason
        return ""

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.2)
    await running.server.set_serving(NAME, False)
    await asyncio.sleep(0.1)
    await running.server.set_serving(NAME, True)
    await asyncio.sleep(0.1)
    await running.server.drain(20.0)
    assert await watching == "SERVER_DRAINING"
    assert seen == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]
    await channels.close()


async def test_an_instance_that_is_not_serving_is_avoided(start: Any, stub: Any, echo: Any) -> None:
    one, two = await start(), await start()
    client = await stub(f"ipv4:127.0.0.1:{one.server.port},127.0.0.1:{two.server.port}")
    await one.server.set_serving("", False)
    await client.Echo(echo.Request(), wait_for_ready=True)
    await asyncio.sleep(0.2)
    answers = [await client.Echo(echo.Request()) for _ in range(10)]
    assert {answer.instance for answer in answers} == {"1"}


async def test_reflection_lists_the_services(start: Any, join: Any) -> None:
    running = await start()
    channels = rpc.Channels({"echo": running.target}, await join("alpha"), "alpha")
    stub = reflection_pb2_grpc.ServerReflectionStub(channels.get("echo"))

    async def ask() -> Any:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    answers = [answer async for answer in stub.ServerReflectionInfo(ask())]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {NAME, "grpc.health.v1.Health"} <= names
    await channels.close()
