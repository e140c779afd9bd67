"""`idmesh bench keys` measures against a real server and leaves nothing behind."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from services.bench.cli import command

pytestmark = [pytest.mark.integration, pytest.mark.vault]


def test_calls_of_both_clients_are_counted_and_the_server_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = CliRunner().invoke(
        command, ["keys", "vault", "--seconds", "0.03", "--threads", "2", "--in-flight", "4"]
    )
    assert done.exit_code == 0, done.output
    for what in ("data key", "data key unwrap", "HMAC", "Ed25519 sign", "RSA-2048 unwrap"):
        for how in ("hvac, 1 thread ", "hvac, 2 threads", "ours "):
            [row, *_] = re.findall(
                rf"^{what} +{how} +([\d,]+) +([\d,]+) +([\d,]+)", done.output, re.M
            )
            assert all(int(number.replace(",", "")) > 0 for number in row)
    assert re.search(r"Goal, at least 3 times hvac per CPU second: (met|missed)", done.output)
    assert list(tmp_path.iterdir()) == []
    assert not [child for child in psutil.Process().children(recursive=True)
                if str(tmp_path) in " ".join(child.cmdline())]  # fmt: skip


def test_an_unknown_part_is_refused_with_those_that_there_are() -> None:
    done = CliRunner().invoke(command, ["keys", "everything"])
    assert done.exit_code == 2
    assert "everything: parts are" in done.output
