"""Makes the environment of foreign clients, MOSIP's own SDK above all, apart from ours.

It pins an older cryptography, so it cannot share our environment. Run as a program this is quick
when the environment is there, and says in one line what is missing when it cannot be made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
TREE = HERE.parents[2]
ENVIRONMENT = TREE / ".venv-sdk"
PYTHON = ENVIRONMENT / "bin" / "python"
REQUIREMENTS = HERE / "requirements.txt"
# Holds the digest of the requirements that the environment was made from.
STAMP = ENVIRONMENT / "requirements.sha256"


class SdkMissingError(Exception):
    """The environment is not there and cannot be made; the message is one line."""


def installed() -> bool:
    """Whether the environment is there and of these very requirements."""
    try:
        return STAMP.read_text() == _digest() and PYTHON.exists()
    except OSError:
        return False


def ensure() -> Path:
    """Return the environment's interpreter, after making the environment where that is needed.

    Raises:
        SdkMissingError: it cannot be made.
    """
    if not installed():
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        for command in _commands():
            _run(command)
        STAMP.write_text(_digest())
    return PYTHON


def _digest() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def _commands() -> list[list[str]]:
    uv = TREE / ".venv-uv" / "bin" / "uv"
    program = str(uv) if uv.exists() else shutil.which("uv")
    if program is not None:
        install = [program, "pip", "install", "--quiet", "--python", str(PYTHON)]
        return [
            [program, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)],
            [*install, "--require-hashes", "-r", str(REQUIREMENTS)],
        ]
    return [
        [sys.executable, "-m", "venv", str(ENVIRONMENT)],
        [str(PYTHON), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(REQUIREMENTS)],
    ]


def _run(command: list[str]) -> None:
    # An active environment would be installed into instead of ours.
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONHOME")}
    done = subprocess.run(
        command,
        check=False,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        said = next(iter(done.stderr.strip().splitlines()), "nothing")
        raise SdkMissingError(
            f"MOSIP's SDK cannot be installed into {ENVIRONMENT} ({said}). "
            "Connect to a package index and run: python -m tests.system.sdk.install"
        )


def main() -> None:
    """Make the environment and say where it is."""
    was_there = installed()
    try:
        python = ensure()
    except SdkMissingError as missing:
        raise SystemExit(str(missing)) from None
    if not was_there:
        print(f"MOSIP's SDK is installed for {python}")


if __name__ == "__main__":
    main()
