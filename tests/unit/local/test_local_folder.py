from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from services.local import folder
from services.local.problems import Problem


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_folder_is_private_with_all_that_is_in_it(tmp_path: Path) -> None:
    opened = folder.open_folder(tmp_path / "data")
    folder.write_private(opened.secrets / "one", "secret")
    assert mode(opened.root) == mode(opened.secrets) == 0o700
    assert mode(opened.secrets / "one") == mode(opened.version_file) == 0o600


def test_a_folder_of_another_format_is_refused_with_its_cure(tmp_path: Path) -> None:
    opened = folder.open_folder(tmp_path / "data")
    opened.version_file.write_text(json.dumps({"format": 99}))
    with pytest.raises(Problem, match=r"another version of idmesh \(format 99") as refused:
        folder.open_folder(tmp_path / "data")
    assert "--data-folder" in refused.value.cure
    assert "\n" not in str(refused.value)


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    before = mode(tmp_path)
    with pytest.raises(Problem, match="no idmesh data folder"):
        folder.open_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
    assert mode(tmp_path) == before


def test_data_of_another_postgres_is_refused(tmp_path: Path) -> None:
    opened = folder.open_folder(tmp_path / "data")
    folder.remember_postgres(opened, 18)
    folder.remember_postgres(opened, 18)
    with pytest.raises(Problem, match="belongs to PostgreSQL 18, and this is 15"):
        folder.remember_postgres(opened, 15)


def test_two_supervisors_cannot_share_a_folder(tmp_path: Path) -> None:
    opened = folder.open_folder(tmp_path / "data")
    with (
        folder.locked(opened),
        pytest.raises(Problem, match=f"pid {os.getpid()}"),
        folder.locked(opened),
    ):
        pass
    with folder.locked(opened):
        pass


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    opened = folder.open_folder(tmp_path / "data")
    first = opened.secret("postgres.password")
    assert len(first) >= 43
    assert folder.open_folder(tmp_path / "data").secret("postgres.password") == first
    assert opened.secret("another") != first


def test_sockets_move_to_a_short_private_folder_when_the_path_is_too_long(tmp_path: Path) -> None:
    short = folder.DataFolder(Path("/x/.idmesh"))
    long = folder.DataFolder(tmp_path / ("a" * 120))
    assert short.sockets == Path("/x/.idmesh/run")
    assert len(str(long.sockets)) <= folder.LONGEST_SOCKET_FOLDER
    assert long.sockets != folder.DataFolder(tmp_path / ("b" * 120)).sockets


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    folder.write_private(path, "old")
    (tmp_path / ".file.new").mkdir()
    with pytest.raises(IsADirectoryError):
        folder.write_private(path, "new")
    assert path.read_text() == "old"
