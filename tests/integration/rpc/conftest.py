"""A small mesh: certificates from a CA of our own and real servers on loopback."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_tools import protoc  # type: ignore[import-untyped]

from services.common import rpc, telemetry
from services.common.config import TlsConfig
from services.common.errors import AlreadyExists, NotFound, Unavailable
from tests.fakes.mesh_ca import MeshCa

HERE = Path(__file__).parent
Join = Callable[[str], Awaitable[TlsConfig]]
Start = Callable[..., Awaitable["Running"]]


@pytest.fixture(autouse=True)
def _logs() -> None:
    """Another suite in the same run may have made the logs quieter."""
    telemetry.configure_logs("info", "test")


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The generated modules of echo.proto."""
    importlib.import_module("idmesh.options.v1.options_pb2")
    importlib.import_module("buf.validate.validate_pb2")
    out = tmp_path_factory.mktemp("echo")
    known = descriptor_pb2.FileDescriptorSet()
    for name in (
        "google/protobuf/descriptor.proto",
        "google/protobuf/duration.proto",
        "google/protobuf/field_mask.proto",
        "google/protobuf/timestamp.proto",
        "buf/validate/validate.proto",
        "idmesh/options/v1/options.proto",
    ):
        importlib.import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2")
        descriptor_pool.Default().FindFileByName(name).CopyToProto(known.file.add())
    (out / "known.binpb").write_bytes(known.SerializeToString())
    arguments = ["protoc", f"-I{HERE}", f"--descriptor_set_in={out / 'known.binpb'}"]
    arguments += [f"--python_out={out}", f"--grpc_python_out={out}", "echo.proto"]
    assert protoc.main(arguments) == 0
    sys.path.insert(0, str(out))
    pb2: ModuleType = importlib.import_module("echo_pb2")
    pb2_grpc: ModuleType = importlib.import_module("echo_pb2_grpc")
    return SimpleNamespace(pb2=pb2, grpc=pb2_grpc, Request=pb2.EchoRequest)


class Echo:
    """Serves echo.proto; counts what it is asked."""

    def __init__(self, pb2: Any, instance: str = "") -> None:
        self._pb2 = pb2
        self._instance = instance
        self.calls = 0
        self.asked = asyncio.Event()
        self.onward: Any = None

    async def Echo(self, request: Any, context: Any) -> Any:
        return await self._answer(request)

    EchoAgain = EchoAtEdge = EchoForNobody = Echo

    async def Count(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.calls += 1
        number = 0
        while request.count == 0 or number < request.count:
            yield self._pb2.EchoResponse(text=str(number))
            number += 1
            await asyncio.sleep(request.delay_s)

    async def Join(self, requests: AsyncIterator[Any], context: Any) -> Any:
        texts = [request.text async for request in requests]
        return self._pb2.EchoResponse(text="".join(texts))

    async def Chat(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            yield await self._answer(request)

    CountAtEdge, JoinAtEdge, ChatAtEdge = Count, Join, Chat

    async def _answer(self, request: Any) -> Any:
        self.calls += 1
        self.asked.set()
        if request.delay_s:
            await asyncio.sleep(request.delay_s)
        self._fail(request)
        if self.onward is not None:
            return await self.onward(request)
        call = rpc.current_call()
        return self._pb2.EchoResponse(
            text=request.text,
            caller=call.caller,
            correlation_id=call.correlation_id,
            remaining_s=call.remaining_s(),
            operator=call.operator or "",
            roles=sorted(call.roles),
            instance=self._instance,
        )

    def _fail(self, request: Any) -> None:
        if request.fail == "unavailable" or (request.fail == "twice" and self.calls <= 2):
            raise Unavailable("SOMETHING_AWAY", "It is away.")
        if request.fail == "taken":
            raise AlreadyExists("NAME_TAKEN", "It is taken.", metadata={"by": "x"}, field="text")
        if request.fail == "away":
            raise Unavailable("SOMETHING_AWAY", "It is away.", retry_after_s=2.5)
        if request.fail == "missing":
            raise NotFound("THING_UNKNOWN", "There is none.")
        if request.fail == "bug":
            raise KeyError("a secret that was looked up")


class Running:
    """A server of echo.proto."""

    def __init__(self, server: rpc.Server, servicer: Echo) -> None:
        self.server = server
        self.servicer = servicer

    @property
    def target(self) -> str:
        return f"ipv4:127.0.0.1:{self.server.port}"


@pytest.fixture
def ca() -> MeshCa:
    return MeshCa()


@pytest.fixture
def join(ca: MeshCa, tmp_path: Path) -> Join:
    """Gives a service its certificate and tells where it lies."""

    async def join(name: str) -> TlsConfig:
        await rpc.ensure_certificate(tmp_path, name, ca.sign)
        return TlsConfig(folder=str(tmp_path))

    return join


@pytest.fixture
async def start(echo: SimpleNamespace, join: Join) -> AsyncIterator[Start]:
    """Starts servers of echo.proto; stopped after the test."""
    running: list[Running] = []

    async def start(name: str = "echo", **options: Any) -> Running:
        server = rpc.Server("127.0.0.1:0", await join(name), name, **options)
        servicer = Echo(echo.pb2, instance=str(len(running)))
        add = echo.grpc.add_EchoServiceServicer_to_server
        server.add(add, servicer, echo.pb2.DESCRIPTOR.services_by_name["EchoService"])
        await server.start()
        running.append(Running(server, servicer))
        return running[-1]

    yield start
    for one in running:
        await one.server.drain(0.0)


@pytest.fixture
async def stub(echo: SimpleNamespace, join: Join) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Makes a stub for a service at a target, called as another service."""
    opened: list[rpc.Channels] = []

    async def stub(target: str, caller: str = "alpha", **options: Any) -> Any:
        channels = rpc.Channels({"echo": target}, await join(caller), caller, **options)
        opened.append(channels)
        return echo.grpc.EchoServiceStub(channels.get("echo"))

    yield stub
    for channels in opened:
        await channels.close()


@pytest.fixture
async def raw(join: Join) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Makes a channel to a target, for bytes that no stub would send."""
    opened: list[rpc.Channels] = []

    async def raw(target: str, caller: str = "alpha") -> Any:
        channels = rpc.Channels({"echo": target}, await join(caller), caller)
        opened.append(channels)
        return channels.get("echo")

    yield raw
    for channels in opened:
        await channels.close()
