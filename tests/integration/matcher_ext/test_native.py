"""The matcher's native tests under sanitizers, and its readers under a fuzzer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from services.common.biometrics import (
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    write_ansi_378,
    write_fmr,
    write_fmr_2011,
)

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = Path(sys.executable).parent
CORES = str(os.cpu_count() or 1)
FUZZ_SECONDS = 10
LEAST_FUZZ_RUNS = 10_000
# A gallery is made, filled and searched each time.
LEAST_SEGMENT_RUNS = 500
# A sanitizer's build takes minutes where other tests run beside it.
pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1200)]


def build(
    folder: Path,
    *definitions: str,
    targets: Iterable[str] = ("all",),
    environment: dict[str, str] | None = None,
) -> None:
    cmake = shutil.which("cmake", path=f"{SCRIPTS}{os.pathsep}{os.defpath}")
    assert cmake is not None, "the development dependencies bring cmake"
    configure = [cmake, "-S", str(ROOT / "matcher_ext"), "-B", str(folder), "-G", "Unix Makefiles"]
    settings = ["-DIDMESH_PYTHON_MODULE=OFF", "-DIDMESH_TESTS=ON", *definitions]
    run = {**os.environ, **(environment or {})}
    make = [cmake, "--build", str(folder), "--parallel", CORES, "--target", *targets]
    for command in ([*configure, *settings], make):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=run)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.parametrize(
    ("sanitizer", "target", "which"),
    [
        ("address,undefined", "native_tests", ()),
        # Ten times slower, and one thread has no races.
        ("thread", "threaded_tests", ("--label-regex", "^threads$")),
    ],
    ids=["address", "thread"],
)
def test_the_native_tests_pass_under_a_sanitizer(
    tmp_path: Path, sanitizer: str, target: str, which: tuple[str, ...]
) -> None:
    # Half the time of a compiler that optimises in earnest, and as much to see.
    flags = ("-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g1")
    build(tmp_path, f"-DIDMESH_SANITIZE={sanitizer}", *flags, targets=[target])
    options = ["--output-on-failure", "--no-tests=error", "--parallel", CORES, *which]
    done = subprocess.run(
        [str(SCRIPTS / "ctest"), "--test-dir", str(tmp_path), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def finger_records() -> FingerMinutiaeRecord:
    """Two views, one of them without quality, from which mutations reach every field."""
    minutiae = tuple(Minutia(9 * k, 11 * k, 8 * k, k % 3, 3 * k) for k in range(20))
    views = (FingerView(7, 80, minutiae), FingerView(2, 0, minutiae[:3], impression=8, view=1))
    return FingerMinutiaeRecord(400, 500, views, 197, 200)


SEEDS = {
    "iso_2005_fuzz": write_fmr(finger_records()),
    "iso_2011_fuzz": write_fmr_2011(finger_records()),
    "ansi_378_fuzz": write_ansi_378(finger_records()),
    # Changes of four bytes each: of planes, of their lengths, of the number of rows.
    "segment_fuzz": bytes(range(64)) + b"\xc8\x10\x00\x00" + b"\xf0\x02\x00\x00",
}


def test_no_reader_falls_to_a_coverage_guided_fuzzer(tmp_path: Path) -> None:
    if shutil.which("clang++") is None:
        pytest.skip("clang is missing: apt-get install clang")
    compilers = {"CC": "clang", "CXX": "clang++"}
    definitions = ("-DIDMESH_SANITIZE=fuzzer-no-link,address", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    targets = {source.stem for source in (ROOT / "matcher_ext" / "fuzz").glob("*_fuzz.cpp")}
    assert targets == SEEDS.keys(), "each has a seed that reaches deep"
    build(tmp_path / "build", *definitions, targets=targets, environment=compilers)
    running = {target: start(tmp_path, target) for target in sorted(targets)}
    ended = {target: process.wait() for target, process in running.items()}
    for target, code in ended.items():
        said = (tmp_path / f"{target}.log").read_text(errors="replace")
        assert code == 0, said[-3000:]
        [line] = [one for one in said.splitlines() if "number_of_executed_units" in one]
        least = LEAST_SEGMENT_RUNS if target == "segment_fuzz" else LEAST_FUZZ_RUNS
        assert int(line.split()[-1]) > least, target


def start(folder: Path, target: str) -> subprocess.Popen[bytes]:
    """Set a fuzzer going on its seed; what it says goes to a file, for a pipe would fill."""
    corpus = folder / target
    corpus.mkdir()
    (corpus / "seed").write_bytes(SEEDS[target])
    options = [f"-max_total_time={FUZZ_SECONDS}", "-print_final_stats=1", "-max_len=1024"]
    command = [str(folder / "build" / target), *options, str(corpus)]
    with (folder / f"{target}.log").open("wb") as log:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, cwd=corpus)
