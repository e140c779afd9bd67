"""Two packages that own one file overwrite each other, and neither pip nor uv says so."""

from __future__ import annotations

from collections import defaultdict
from importlib import metadata


def test_no_file_is_owned_by_two_distributions() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for distribution in metadata.distributions():
        for file in distribution.files or ():
            if file.suffix == ".py":
                owners[str(distribution.locate_file(file))].add(distribution.metadata["Name"])
    assert {path: names for path, names in owners.items() if len(names) > 1} == {}


def test_the_packages_that_overwrite_others_are_not_installed() -> None:
    installed = {distribution.metadata["Name"] for distribution in metadata.distributions()}
    assert installed.isdisjoint({"grpcio-csds", "grpcio-admin", "xds-protos"})
