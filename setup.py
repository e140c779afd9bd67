"""Builds the gRPC stubs (package `idmesh`) and the native matcher; see pyproject.toml."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
STUBS = BUILD / "stubs"
DESCRIPTORS = BUILD / "descriptors"
# In the descriptor set although no proto of ours imports them: the edge needs them to
# turn error details into JSON.
DETAIL_PROTOS = ("google/rpc/error_details.proto", "google/rpc/status.proto")
VALIDATE_PROTO = "buf/validate/validate.proto"


def _write_validate_descriptor(target: Path) -> None:
    """Write VALIDATE_PROTO and what it imports as a descriptor set; no package ships its text."""
    from google.protobuf import descriptor_pb2, descriptor_pool
    from protovalidate._gen.buf.validate import validate_pb

    validate = descriptor_pb2.FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    files = descriptor_pb2.FileDescriptorSet()
    for name in validate.dependency:
        importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
        descriptor_pool.Default().FindFileByName(name).CopyToProto(files.file.add())
    files.file.add().CopyFrom(validate)
    target.write_bytes(files.SerializeToString())


def _plugin(name: str) -> str:
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise SystemExit(f"setup.py: {name} is missing; the package mypy-protobuf brings it")
    return f"--plugin={name}={found}"


def _protoc(*arguments: str) -> None:
    from grpc_tools import protoc

    if protoc.main(["protoc", *arguments]) != 0:
        raise SystemExit("setup.py: protoc refused the protos; its messages are above")


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in paths:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _generate(target: Path, protos: list[Path]) -> None:
    import google.rpc
    import grpc_tools

    site = Path(next(iter(google.rpc.__path__))).parent.parent
    validate = DESCRIPTORS / "validate.binpb"
    _write_validate_descriptor(validate)
    include = [f"-I{ROOT / 'protos'}", f"-I{site}", f"-I{Path(grpc_tools.__file__).parent}/_proto"]
    include.append(f"--descriptor_set_in={validate}")
    names = [str(path.relative_to(ROOT / "protos")) for path in protos]
    messages = [f"--python_out={target}", _plugin("protoc-gen-mypy"), f"--mypy_out=quiet:{target}"]
    services = [f"--grpc_python_out={target}", _plugin("protoc-gen-mypy_grpc")]
    services.append(f"--mypy_grpc_out=quiet:{target}")
    _protoc(*include, *messages, VALIDATE_PROTO)
    _protoc(*include, *messages, *services, *names)
    everything = [f"--descriptor_set_out={DESCRIPTORS / 'idmesh.pb'}", "--include_imports"]
    _protoc(*include, *everything, "--include_source_info", *names, *DETAIL_PROTOS)


def build_stubs() -> None:
    """Generate build/stubs and build/descriptors, unless they are those of the present protos."""
    protos = sorted((ROOT / "protos").rglob("*.proto"))
    stamp, digest = BUILD / "stubs.digest", _digest(protos)
    if STUBS.is_dir() and stamp.exists() and stamp.read_text() == digest:
        return
    fresh = BUILD / f"stubs.{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    DESCRIPTORS.mkdir(parents=True, exist_ok=True)
    _generate(fresh, protos)
    for folder in [path for path in fresh.rglob("*") if path.is_dir()]:
        (folder / "__init__.py").touch()
        (folder / "py.typed").touch()
    # The folder itself stays: uv takes a new one for a reason to build again.
    STUBS.mkdir(exist_ok=True)
    for old in STUBS.iterdir():
        shutil.rmtree(old)
    for made in fresh.iterdir():
        made.rename(STUBS / made.name)
    fresh.rmdir()
    stamp.write_text(digest)


class BuildMatcher(build_ext):
    """Runs the one CMakeLists.txt of matcher_ext; no compiler flag lives here."""

    def build_extension(self, ext: Extension) -> None:
        """Configure and build into the place where setuptools wants the module."""
        import pybind11

        output = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        work = BUILD / "matcher"
        cmake = shutil.which("cmake", path=sysconfig.get_path("scripts")) or shutil.which("cmake")
        if cmake is None:
            raise SystemExit("setup.py: cmake is missing; the package cmake brings it")
        folders = ["-S", str(ROOT / "matcher_ext"), "-B", str(work)]
        settings = {
            "CMAKE_BUILD_TYPE": "Release",
            "IDMESH_OUTPUT_DIR": str(output),
            "pybind11_DIR": pybind11.get_cmake_dir(),
            "Python_EXECUTABLE": sys.executable,
        }
        defined = [f"-D{name}={value}" for name, value in settings.items()]
        generator = ["-G", "Unix Makefiles", "--fresh"]
        subprocess.run([cmake, *folders, *generator, *defined], check=True)
        subprocess.run([cmake, "--build", str(work), "--parallel", "2"], check=True)


build_stubs()
setup(
    packages=[
        *find_packages(include=["services", "services.*", "matcher_ext", "vault", "vault.*"]),
        *find_packages(where="build/stubs", include=["idmesh", "idmesh.*", "buf", "buf.*"]),
    ],
    package_dir={"idmesh": "build/stubs/idmesh", "buf": "build/stubs/buf"},
    ext_modules=[Extension("matcher_ext._native", sources=[])],
    cmdclass={"build_ext": BuildMatcher},
)
