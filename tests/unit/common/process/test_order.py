from __future__ import annotations

import importlib

from services.common import rpc
from services.common.config import ServiceConfig, TlsConfig
from services.common.process import Built
from services.common.process.host import callees
from services.common.process.order import drain_order
from services.local import topology


def test_callers_stop_before_those_they_call() -> None:
    peers = {"c": {"elsewhere"}, "a": {"b"}, "b": {"c"}, "d": {"c"}}
    assert drain_order(peers) == [["a", "d"], ["b"], ["c"]]


def test_a_circle_stops_together_and_what_it_calls_after_it() -> None:
    peers = {"a": {"b"}, "b": {"a", "c"}, "c": set[str](), "top": {"a"}}
    assert drain_order(peers) == [["top"], ["a", "b"], ["c"]]


def test_a_service_that_calls_itself_is_no_circle() -> None:
    assert drain_order({"a": {"a", "b"}, "b": set()}) == [["a"], ["b"]]


def test_nothing_is_in_no_order() -> None:
    assert drain_order({}) == []


def test_the_services_of_one_machine_stop_callers_first_though_all_are_peers_of_all() -> None:
    own = {
        name: ServiceConfig(
            listen="127.0.0.1:0",
            tls=TlsConfig(folder="/tls"),
            peers={other: "ipv4:127.0.0.1:1" for other in topology.services() if other != name},
        )
        for name in topology.PROCESSES["core"]
    }
    order = drain_order(callees([_built(name, own[name]) for name in own], own))
    at = {name: place for place, together in enumerate(order) for name in together}
    assert at["processing"] < at["registration"] < at["masterdata"]
    assert at["processing"] < at["identity"] < at["notification"]
    assert order[0] == ["access", "processing", "partner"]


def _built(name: str, config: ServiceConfig) -> Built:
    """A service with all its RPCs and its feed, which does nothing."""
    server = rpc.Server(config.listen, config.tls, name)
    for module in (f"idmesh.{name}.v1.{name}_service_pb2", "idmesh.feed.v1.feed_service_pb2"):
        generated = importlib.import_module(f"{module}_grpc")
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values():
            add = getattr(generated, f"add_{service.name}Servicer_to_server")
            server.add(add, getattr(generated, f"{service.name}Servicer")(), service)
    return Built(name, server)
