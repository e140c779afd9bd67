"""The protos of the installed stubs as one descriptor set, which the edge transcodes by."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

from services.local.folder import write_private

# No proto of ours imports these, but without them the edge turns an error's details into nothing.
ERROR_DETAILS = ("google.rpc.status_pb2", "google.rpc.error_details_pb2")


def write(path: Path) -> None:
    """Write the set, every file after those that it imports."""
    import idmesh

    names = [module.name for module in pkgutil.walk_packages(idmesh.__path__, "idmesh.")]
    files = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()
    for name in (*ERROR_DETAILS, *(name for name in names if name.endswith("_pb2"))):
        _add(importlib.import_module(name).DESCRIPTOR, files, seen)
    write_private(path, files.SerializeToString(deterministic=True))


def _add(file: FileDescriptor, files: descriptor_pb2.FileDescriptorSet, seen: set[str]) -> None:
    if file.name in seen:
        return
    seen.add(file.name)
    for dependency in file.dependencies:
        _add(dependency, files, seen)
    file.CopyToProto(files.file.add())
