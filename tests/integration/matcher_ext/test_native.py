"""The matcher's native tests under sanitizers, and its parser under a fuzzer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FUZZ_SECONDS = 10
LEAST_FUZZ_RUNS = 10_000
pytestmark = [pytest.mark.integration, pytest.mark.slow]


def build(folder: Path, *definitions: str, environment: dict[str, str] | None = None) -> None:
    cmake = shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    assert cmake is not None, "the development dependencies bring cmake"
    configure = [cmake, "-S", str(ROOT / "matcher_ext"), "-B", str(folder), "-G", "Unix Makefiles"]
    settings = ["-DIDMESH_PYTHON_MODULE=OFF", "-DIDMESH_TESTS=ON", *definitions]
    run = {**os.environ, **(environment or {})}
    for command in ([*configure, *settings], [cmake, "--build", str(folder), "--parallel", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=run)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize("sanitizer", ["address,undefined", "thread"])
def test_the_native_tests_pass_under_a_sanitizer(tmp_path: Path, sanitizer: str) -> None:
    build(tmp_path, f"-DIDMESH_SANITIZE={sanitizer}", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    ctest = Path(sys.executable).parent / "ctest"
    done = subprocess.run(
        [str(ctest), "--test-dir", str(tmp_path), "--output-on-failure", "--no-tests=error"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_iso_parser_survives_a_coverage_guided_fuzzer(tmp_path: Path) -> None:
    if shutil.which("clang++") is None:
        pytest.skip("clang is missing: apt-get install clang")
    compilers = {"CC": "clang", "CXX": "clang++"}
    definitions = ("-DIDMESH_SANITIZE=fuzzer-no-link,address", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    build(tmp_path / "build", *definitions, environment=compilers)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    header = b"FMR\x00 20\x00" + (30).to_bytes(4, "big") + bytes(18)
    (corpus / "empty").write_bytes(header)
    done = subprocess.run(
        [
            str(tmp_path / "build" / "finger_iso_fuzz"),
            f"-max_total_time={FUZZ_SECONDS}",
            "-print_final_stats=1",
            str(corpus),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    [line] = [one for one in done.stderr.splitlines() if "number_of_executed_units" in one]
    assert int(line.split()[-1]) > LEAST_FUZZ_RUNS
