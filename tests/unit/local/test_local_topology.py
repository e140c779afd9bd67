from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest

from services.common import config
from services.local import toml, topology
from services.local.folder import DataFolder
from services.local.ports import Ports

FOLDER = DataFolder(Path("/data"))
PORTS = Ports(7000)
ROLE_IDS = {service: f"role-{service}" for service in topology.services()}
SERVICES = Path(topology.__file__).parent.parent


def process_config(process: str) -> config.ProcessConfig:
    document = topology.process_config(
        process, FOLDER, PORTS, postgres_host=Path("/data/run"), role_ids=ROLE_IDS
    )
    text = toml.dumps(document)
    assert tomllib.loads(text) == document
    return config.structure(config.ProcessConfig, tomllib.loads(text), "")


def test_each_service_runs_in_exactly_one_process() -> None:
    assert len(topology.services()) == len(set(topology.services()))


@pytest.mark.parametrize("process", topology.PROCESSES)
def test_every_process_gets_a_table_for_each_of_its_services(process: str) -> None:
    made = process_config(process)
    assert set(made.services) == set(topology.PROCESSES[process])
    assert made.process.name == process


@pytest.mark.parametrize("service", topology.services())
def test_every_service_understands_its_generated_configuration(service: str) -> None:
    process = next(name for name, group in topology.PROCESSES.items() if service in group)
    if not (SERVICES / service / "config.py").exists():
        pytest.skip("the service has no configuration of its own")
    kind = importlib.import_module(f"services.{service}.config").Config
    made = config.structure(kind, process_config(process).services[service], service)
    assert made.listen == f"127.0.0.1:{PORTS[service]}"
    assert made.vault is not None
    assert made.vault.role_id == f"role-{service}"
    assert service not in made.peers
    assert set(made.peers) == set(topology.services()) - {service}


def test_the_gateway_has_no_database() -> None:
    assert "gateway" not in topology.services_with_database()
    assert "postgres" not in process_config("edge").services["gateway"]


def test_no_secret_stands_in_a_configuration() -> None:
    for process in topology.PROCESSES:
        document = topology.process_config(
            process, FOLDER, PORTS, postgres_host=Path("/data/run"), role_ids=ROLE_IDS
        )
        for table in document["services"].values():
            assert table["vault"]["secret_id_file"].startswith("/data/secrets/")


def test_toml_survives_quotes_backslashes_and_unicode() -> None:
    document = {"a": 'x"y\\z\n', "t": {"b": True, "n": 3, "f": 0.5, "l": ["é", "ü\x7f"]}, "e": {}}
    assert tomllib.loads(toml.dumps(document)) == document


@pytest.mark.parametrize("process", topology.PROCESSES)
def test_traces_and_metrics_go_where_they_are_asked_to_go(process: str) -> None:
    document = topology.process_config(
        process,
        FOLDER,
        PORTS,
        postgres_host=Path("/data/run"),
        role_ids=ROLE_IDS,
        otlp_endpoint="http://127.0.0.1:4317",
    )
    made = config.structure(config.ProcessConfig, document, "")
    assert made.telemetry.otlp_endpoint == "http://127.0.0.1:4317"
    assert process_config(process).telemetry.otlp_endpoint == ""
