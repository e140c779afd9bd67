"""Runs services together in one process, from its file to its exit code."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import resource
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, cast

import uvloop

from services.common import envelope, telemetry
from services.common.config import ConfigError, ProcessConfig, ServiceConfig, load, structure
from services.common.errors import PlatformError, Unauthenticated
from services.common.process.lag import watch_loop
from services.common.process.order import drain_order
from services.common.process.service import Service

VAULT_LOGIN_REFUSED = "VAULT_LOGIN_REFUSED"
EXIT_OK = 0
EXIT_FAILED = 1
# As in sysexits.h: EX_CONFIG, and EX_TEMPFAIL for "with a new secret id it will work".
EXIT_CONFIG = 78
EXIT_LOGIN_REFUSED = 75
# How long cancelled loops get before the drain goes on without them.
CANCEL_GRACE_S = 10.0

_log = telemetry.get_logger("process")


def main(services: Sequence[str], argv: Sequence[str] | None = None) -> int:
    """Run services as the command line says (`--config FILE`) and return the exit code."""
    parser = argparse.ArgumentParser(prog=" ".join(services))
    parser.add_argument("--config", type=Path, required=True, help="the process's TOML file")
    arguments = parser.parse_args(argv)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(services, arguments.config))


async def run(services: Sequence[str], config_path: Path) -> int:
    """Serve until SIGTERM or SIGINT, then drain; return the exit code.

    0 after a drain; 1 when something failed; 75 when Vault refused the login, so that a
    supervisor mints a new secret id before it starts the process again; 78 when the
    configuration cannot be used.
    """
    # A core dump would hold keys and templates.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        config = load(config_path)
        told = telemetry.setup(config.telemetry, config.process.name)
    except ConfigError as error:
        _log.error("configuration_refused", why=str(error))
        return EXIT_CONFIG
    try:
        return await _host(services, config, told)
    except ConfigError as error:
        _log.error("configuration_refused", why=f"{config_path}: {error}")
        return EXIT_CONFIG
    except Exception as error:
        return _exit_code(error)
    finally:
        await asyncio.to_thread(told.shutdown)


async def _host(services: Sequence[str], config: ProcessConfig, told: telemetry.Telemetry) -> int:
    own = {name: _service_config(name, config) for name in services}
    stopping = asyncio.Event()
    with _stopped_by_signals(stopping):
        async with AsyncExitStack() as stack:
            # Last of all: what is still being answered opens what is sealed.
            stack.callback(envelope.wipe_all)
            built = [
                await stack.enter_async_context(_open(name, own[name], told)) for name in services
            ]
            for service in built:
                await service.server.start()
                stack.push_async_callback(service.server.drain, 0.0)
            _announce(built, told)
            failure = await _until_stopped(built, stopping)
            _log.info("draining", services=list(services))
            await _drain(built, own, config.process.drain_grace_s)
            if failure is not None:
                raise failure
    _log.info("stopped")
    return EXIT_OK


def _service_config(name: str, config: ProcessConfig) -> ServiceConfig:
    if name not in config.services:
        raise ConfigError(f"services.{name}: required table is missing")
    try:
        kind: type[ServiceConfig] = importlib.import_module(f"services.{name}.config").Config
    except ModuleNotFoundError as error:
        if error.name not in (f"services.{name}", f"services.{name}.config"):
            raise
        raise ConfigError(f"services.{name}: there is no such service") from error
    return structure(kind, config.services[name], f"services.{name}")


def _open(
    name: str, config: ServiceConfig, told: telemetry.Telemetry
) -> AbstractAsyncContextManager[Service]:
    wiring = importlib.import_module(f"services.{name}.wiring")
    return cast(AbstractAsyncContextManager[Service], wiring.build(config, telemetry=told))


def _announce(services: Sequence[Service], told: telemetry.Telemetry) -> None:
    """Print the one line on stdout that a supervisor waits for."""
    ready = {
        "ready": [service.name for service in services],
        "ports": {service.name: service.server.port for service in services},
        "metrics_port": told.metrics_port,
    }
    print(json.dumps(ready), flush=True)
    _log.info("ready", services=ready["ready"])


async def _drain(
    services: Sequence[Service], own: Mapping[str, ServiceConfig], grace_s: float
) -> None:
    """Stop callers before those they call, so that what is being served can still be answered."""
    loop = asyncio.get_running_loop()
    end = loop.time() + grace_s
    by_name = {service.name: service for service in services}
    for together in drain_order(callees(services, own)):
        left = max(1.0, end - loop.time())
        await asyncio.gather(*(by_name[name].server.drain(left) for name in together))


def callees(services: Sequence[Service], own: Mapping[str, ServiceConfig]) -> dict[str, set[str]]:
    """Return whom each service can wait for: its peers here that have an RPC for it.

    The peers alone say little: on one machine everybody's are all the others.
    """
    return {
        caller.name: {
            callee.name
            for callee in services
            if callee.name in own[caller.name].peers and callee.server.answers(caller.name)
        }
        for caller in services
    }


async def _until_stopped(
    services: Sequence[Service], stopping: asyncio.Event
) -> BaseException | None:
    """Run the background loops until told to stop or one fails; return what it failed with."""
    waiter = asyncio.create_task(stopping.wait(), name="stop")
    loops = {asyncio.create_task(watch_loop(), name="loop-lag")}
    for service in services:
        for index, loop in enumerate(service.background):
            loops.add(asyncio.create_task(loop(), name=f"{service.name}-{index}"))
    running: set[asyncio.Task[Any]] = {waiter, *loops}
    failed: BaseException | None = None
    while failed is None and not waiter.done():
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {waiter}:
            failed = failed or _failure(task)
    for task in running:
        task.cancel()
    if running:
        _, stuck = await asyncio.wait(running, timeout=CANCEL_GRACE_S)
        for task in stuck:
            _log.error("background_does_not_stop", task=task.get_name())
    return failed


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    """Return what a finished loop failed with; one that returned has simply done its work."""
    if task.cancelled():
        return RuntimeError(f"{task.get_name()} was cancelled by nobody")
    error = task.exception()
    if error is not None:
        _log.critical("background_crashed", task=task.get_name(), exc_info=error)
    return error


@contextlib.contextmanager
def _stopped_by_signals(stopping: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            _log.warning("stopped_at_once", signal=number.name)
            os._exit(EXIT_FAILED)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _exit_code(error: Exception) -> int:
    if isinstance(error, Unauthenticated) and error.reason == VAULT_LOGIN_REFUSED:
        _log.error("vault_login_refused")
        return EXIT_LOGIN_REFUSED
    reason = error.reason if isinstance(error, PlatformError) else ""
    _log.critical("failed", reason=reason, exc_info=error)
    return EXIT_FAILED
