"""What holds the repository together: contracts that name every service, stubs that import."""

from __future__ import annotations

import importlib
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOT_SERVICES = {"common", "local", "bench", "synthetic", "registration_client"}
STUBS = sorted((ROOT / "build" / "stubs").rglob("*_pb2*.py"))


def contracts() -> dict[str, dict[str, Any]]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {one["id"]: one for one in document["tool"]["importlinter"]["contracts"]}


def packages() -> set[str]:
    return {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}


def test_the_inward_contract_names_every_service() -> None:
    named = {name.removeprefix("services.") for name in contracts()["inwards"]["containers"]}
    assert named == packages() - NOT_SERVICES


def test_every_service_has_a_policy_in_vault_and_a_docstring_that_says_what_it_owns() -> None:
    for service in packages() - NOT_SERVICES:
        assert (ROOT / "vault" / "policies" / f"{service}.hcl").is_file(), service
        text = (ROOT / "services" / service / "__init__.py").read_text()
        for word in ("Owns:", "Serves:", "Follows:"):
            assert word in text, f"{service}: {word}"


@pytest.mark.parametrize(
    "stub", [str(path.relative_to(ROOT / "build" / "stubs")) for path in STUBS]
)
def test_a_stub_imports(stub: str) -> None:
    assert importlib.import_module(stub.removesuffix(".py").replace("/", "."))


def test_there_is_a_stub_for_every_proto() -> None:
    protos = (ROOT / "protos").rglob("*.proto")
    names = {str(path.relative_to(ROOT / "protos")).removesuffix(".proto") for path in protos}
    made = {str(path.relative_to(ROOT / "build" / "stubs")) for path in STUBS}
    assert {f"{name}_pb2.py" for name in names} <= made


def test_no_file_is_owned_by_two_distributions() -> None:
    # Packages that overwrite each other's protobuf modules break telemetry silently.
    owners: dict[str, list[str]] = {}
    for distribution in metadata.distributions():
        for file in distribution.files or ():
            if file.suffix == ".py" and file.parts[0] != "..":
                owners.setdefault(str(file), []).append(distribution.name)
    assert {file: names for file, names in owners.items() if len(set(names)) > 1} == {}


def test_every_rpc_says_who_may_call_it_and_every_event_who_may_read_it() -> None:
    from google.protobuf import descriptor_pool
    from idmesh.options.v1 import options_pb2

    pool = descriptor_pool.Default()
    for stub in STUBS:
        if stub.name.endswith("_grpc.py"):
            continue
        name = str(stub.relative_to(ROOT / "build" / "stubs")).removesuffix(".py")
        module = importlib.import_module(name.replace("/", "."))
        file = pool.FindFileByName(module.DESCRIPTOR.name)
        for service in file.services_by_name.values():
            for method in service.methods:
                assert method.GetOptions().Extensions[options_pb2.callers], method.full_name
        if file.name.endswith("_events.proto"):
            readers = [
                message.full_name
                for message in file.message_types_by_name.values()
                if message.GetOptions().Extensions[options_pb2.readers]
            ]
            assert readers, file.name


def test_no_tracked_text_names_a_machine_or_a_package_host() -> None:
    import subprocess

    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout.split(b"\0")
    forbidden = re.compile(rb"(?<![\w-])/(work|farm)/|pyp" + rb"i\.org|pythonh" + rb"osted")
    found = []
    for raw in tracked:
        path = ROOT / raw.decode()
        if not raw or path.suffix in {".lock", ".binpb"} or not path.is_file():
            continue
        if forbidden.search(path.read_bytes()) and path != Path(__file__):
            found.append(raw.decode())
    assert found == []
