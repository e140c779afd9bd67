"""A process of two services, started as the supervisor starts it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import textwrap
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from services.common import rpc
from services.common.config import TlsConfig
from services.common.errors import Unavailable

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]

# What a service's package has, in small. Options say what goes wrong.
CONFIG = """
from dataclasses import dataclass
from services.common.config import ServiceConfig

@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    crash: str = ""
"""
WIRING = """
import asyncio, resource
from contextlib import asynccontextmanager
from services.common import process, rpc
from services.common.envelope import DataKeyCache
from services.common.errors import Unauthenticated
from services.common.vault import DataKey
import echo_pb2, echo_pb2_grpc

CACHES = []

class Echo(echo_pb2_grpc.EchoServiceServicer):
    def __init__(self, onward):
        self.onward = onward

    async def Echo(self, request, context):
        await asyncio.sleep(request.delay_s)
        if self.onward is not None:
            return await self.onward.EchoAgain(request)
        return echo_pb2.EchoResponse(text=str(resource.getrlimit(resource.RLIMIT_CORE)[0]))

    EchoAgain = Echo

@asynccontextmanager
async def build(config, *, telemetry):
    telemetry.logger.info("building", service=NAME)
    channels = rpc.Channels(config.peers, config.tls, NAME)
    onward = None
    if config.peers:
        onward = echo_pb2_grpc.EchoServiceStub(channels.get(next(iter(config.peers))))
    server = rpc.Server(config.listen, config.tls, NAME)
    descriptor = echo_pb2.DESCRIPTOR.services_by_name["EchoService"]
    server.add(echo_pb2_grpc.add_EchoServiceServicer_to_server, Echo(onward), descriptor)

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            telemetry.logger.info("loop_ended", service=NAME)

    async def crash():
        await asyncio.sleep(0.2)
        if config.crash == "login":
            raise Unauthenticated("VAULT_LOGIN_REFUSED", "It was refused.")
        raise KeyError("hunter2")

    data_keys = DataKeyCache(None)
    data_keys.remember(DataKey(b"secret", "vault:v1:AAAA", "core/transit/test"))
    CACHES.append(data_keys)

    if config.crash == "build":
        raise Unauthenticated("VAULT_LOGIN_REFUSED", "It was refused.")
    background = [forever, crash] if config.crash else [forever]
    yield process.Built(NAME, server, background)
    await channels.close()
    telemetry.logger.info("closed", service=NAME, data_keys=len(data_keys))
"""
RUN = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2], sys.argv[3]]
import services
services.__path__.append(sys.argv[2] + "/services")
from services.common import process
code = process.main(sys.argv[5:], ["--config", sys.argv[4]])
kept = [cache for name in ("front", "back") if f"services.{name}.wiring" in sys.modules
        for cache in sys.modules[f"services.{name}.wiring"].CACHES]
print(f"data keys left: {sum(map(len, kept))} in {len(kept)} caches", file=sys.stderr)
raise SystemExit(code)
"""


@dataclass
class Process:
    """A process under test: its ready line and, once it ended, its log."""

    child: asyncio.subprocess.Process
    ready: dict[str, Any]

    async def ended(self) -> tuple[int, str]:
        assert self.child.stderr is not None
        log = (await self.child.stderr.read()).decode()
        return await self.child.wait(), log


@pytest.fixture
async def launch(echo: Any, join: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """Launches a process of the services front and back; front calls back."""
    children: list[asyncio.subprocess.Process] = []
    for name in ("front", "back"):
        package = tmp_path / "extra" / "services" / name
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "config.py").write_text(CONFIG)
        (package / "wiring.py").write_text(f"NAME = {name!r}\n" + WIRING)

    async def launch(
        *, back: str = "", more: str = "", services: str = "front back", otlp: str = ""
    ) -> Process:
        await join("front")
        await join("back")
        port = _free_port()
        path = tmp_path / "process.toml"
        path.write_text(
            textwrap.dedent(
                f"""
                [process]
                name = "test"
                [telemetry]
                metrics_listen = "127.0.0.1:0"
                otlp_endpoint = "{otlp}"
                [services.front]
                listen = "127.0.0.1:0"
                tls.folder = "{tmp_path}"
                peers.back = "ipv4:127.0.0.1:{port}"
                [services.back]
                listen = "127.0.0.1:{port}"
                tls.folder = "{tmp_path}"
                crash = "{back}"
                {more}
                """
            )
        )
        arguments = [str(ROOT), str(tmp_path / "extra"), str(Path(echo.pb2.__file__).parent)]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, *arguments, str(path), *services.split(),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        children.append(child)
        assert child.stdout is not None
        line = await asyncio.wait_for(child.stdout.readline(), 20)
        return Process(child, json.loads(line) if line else {})

    yield launch
    for child in children:
        if child.returncode is None:
            child.kill()
            await child.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _front(process: Process, echo: Any, tls: TlsConfig) -> tuple[rpc.Channels, Any]:
    target = f"ipv4:127.0.0.1:{process.ready['ports']['front']}"
    channels = rpc.Channels({"front": target}, tls, "alpha")
    return channels, echo.grpc.EchoServiceStub(channels.get("front"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_says_when_it_is_ready_and_a_signal_drains_callers_before_callees(
    launch: Any, echo: Any, join: Any, number: signal.Signals
) -> None:
    process = await launch()
    assert process.ready["ready"] == ["front", "back"]
    assert process.ready["metrics_port"] > 0
    channels, stub = await _front(process, echo, await join("alpha"))
    # 0: no core dump can be written.
    assert (await stub.Echo(echo.Request())).text == "0"
    # Under way when the signal comes, and still to call the other service after it.
    slow = asyncio.ensure_future(stub.Echo(echo.Request(delay_s=0.6)))
    await asyncio.sleep(0.2)
    process.child.send_signal(number)
    assert (await slow).text == "0"
    code, log = await process.ended()
    assert code == 0
    drained = [json.loads(line) for line in log.splitlines() if '"drained"' in line]
    assert [entry["service"] for entry in drained] == ["front", "back"]
    assert log.count('"closed"') == log.count('"loop_ended"') == 2
    # Kept while anything is served, wiped before the process ends.
    assert log.count('"data_keys":1') == 2
    assert "data keys left: 0 in 2 caches" in log
    with pytest.raises(Unavailable):
        await stub.Echo(echo.Request(), timeout=2)
    await channels.close()


async def test_a_crashed_loop_takes_the_process_down_with_a_clear_log(launch: Any) -> None:
    code, log = await (await launch(back="bug")).ended()
    assert code == 1
    assert "data keys left: 0 in 2 caches" in log
    assert '"background_crashed"' in log
    assert "builtins.KeyError" in log
    assert '"task":"back-1"' in log
    assert "hunter2" not in log
    assert log.count('"drained"') == 2


@pytest.mark.parametrize("when", ["build", "login"])
async def test_a_refused_vault_login_has_an_exit_code_of_its_own(launch: Any, when: str) -> None:
    process = await launch(back=when)
    assert bool(process.ready) is (when == "login")
    code, log = await process.ended()
    assert code == 75
    assert '"vault_login_refused"' in log


@pytest.mark.parametrize(
    ("more", "services", "why"),
    [
        ('colour = "red"', "front back", "process.toml: services.back.colour: unknown key"),
        ("", "front nobody", "process.toml: services.nobody: required table is missing"),
        ("[services.nobody]", "nobody", "services.nobody: there is no such service"),
        ("[other]", "front", "process.toml: other: unknown key"),
    ],
)
async def test_a_wrong_configuration_is_told_and_has_an_exit_code_of_its_own(
    launch: Any, more: str, services: str, why: str
) -> None:
    process = await launch(more=more, services=services)
    code, log = await process.ended()
    assert (code, process.ready) == (78, {})
    assert why in log


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Receives spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    async def Export(self, request: Any, context: Any) -> Any:
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()


async def test_metrics_can_be_scraped_and_spans_join_across_services(
    launch: Any, echo: Any, join: Any
) -> None:
    collector = Collector()
    receiver = grpc.aio.server()
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(collector, receiver)
    port = receiver.add_insecure_port("127.0.0.1:0")
    await receiver.start()
    process = await launch(otlp=f"http://127.0.0.1:{port}")
    channels, stub = await _front(process, echo, await join("alpha"))
    await stub.Echo(echo.Request())
    await asyncio.sleep(0.3)
    scraped = await asyncio.to_thread(_scrape, process.ready["metrics_port"])
    for name in ("server_duration_seconds_count", "client_duration_seconds_count"):
        assert re.search(rf'idmesh_rpc_{name}{{.*code="OK".*EchoService/Echo.*}} 1', scraped)
    assert "idmesh_rpc_server_in_flight" in scraped
    assert "idmesh_process_loop_lag_seconds" in scraped
    process.child.send_signal(signal.SIGTERM)
    code, log = await process.ended()
    assert code == 0
    named = {span.name.rpartition("/")[2]: span for span in collector.spans}
    assert named["EchoAgain"].parent_span_id == named["Echo"].span_id
    assert named["EchoAgain"].trace_id == named["Echo"].trace_id
    told = {item.key: item.value.string_value for item in named["Echo"].attributes}
    assert told["rpc.response.status_code"] == "OK"
    assert f'"trace_id":"{named["Echo"].trace_id.hex()}"' in log
    await channels.close()
    await receiver.stop(0)


def _scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        scraped: str = answer.read().decode()
        return scraped
