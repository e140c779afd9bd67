from __future__ import annotations

import socket
from pathlib import Path

import pytest

from services.local import folder, ports, topology
from services.local.problems import Problem


@pytest.fixture
def data(tmp_path: Path) -> folder.DataFolder:
    return folder.open_folder(tmp_path / "data")


def test_every_service_and_process_has_a_port_and_no_two_share_one() -> None:
    assert len(set(ports.OFFSETS.values())) == len(ports.OFFSETS)
    assert set(topology.services()) <= set(ports.OFFSETS)
    assert {f"metrics_{process}" for process in topology.PROCESSES} <= set(ports.OFFSETS)


def test_a_taken_port_is_named_with_who_holds_it_and_the_cure(data: folder.DataFolder) -> None:
    base = ports.choose(data, mode="auto").base
    with socket.socket() as other:
        other.bind(("127.0.0.1", base + ports.OFFSETS["postgres"]))
        other.listen()
        with pytest.raises(Problem) as refused:
            ports.choose(data, base=base)
    text = str(refused.value)
    assert text.startswith(f"Port {base + ports.OFFSETS['postgres']} (postgres) is taken by ")
    assert "--port-base" in text
    assert "--ports auto" in text
    assert "\n" not in text


def test_chosen_ports_are_kept_in_the_folder(data: folder.DataFolder) -> None:
    chosen = ports.choose(data, mode="auto")
    assert ports.choose(data) == chosen
    assert ports.remembered(data) == chosen


def test_an_automatic_block_that_is_taken_gives_way_to_another(data: folder.DataFolder) -> None:
    first = ports.choose(data, mode="auto")
    with socket.socket() as other:
        other.bind(("127.0.0.1", first["edge"]))
        other.listen()
        second = ports.choose(data)
    assert second != first
    assert ports.remembered(data) == second


def test_a_fixed_base_is_remembered(data: folder.DataFolder) -> None:
    free = ports.choose(data, mode="auto").base
    assert ports.choose(data, base=free, mode="fixed").base == free
    assert ports.choose(data).base == free
