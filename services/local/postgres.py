"""PostgreSQL's data folder and its command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.local.folder import DataFolder, remember_postgres, sync_folder, write_private
from services.local.isolation import Isolation
from services.local.problems import Problem
from services.local.setpriv import wrapped

ADMIN = "idmesh"
DATABASE = "idmesh"
ADMIN_PASSWORD = "postgres.password"  # noqa: S105 - the name of the file that holds it
MAX_CONNECTIONS = 200


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL: where it lies, how it runs, where it listens."""

    isolation: Isolation
    major: int
    port: int

    @property
    def data(self) -> Path:
        """The data folder proper."""
        return self.isolation.data_home / str(self.major)

    @property
    def socket_folder(self) -> Path:
        """The host to connect to on this machine."""
        return self.isolation.socket_folder

    def command(self) -> list[str]:
        """The server's command line."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "max_connections": str(MAX_CONNECTIONS),
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "wal_compression": "pglz",
            "jit": "off",
            # Statements and row values never reach the log: they could tell about a person.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_parameter_max_length_on_error": "0",
            "log_line_prefix": "%m [%p] %q%u ",
        }
        arguments = [f"{name}={value}" for name, value in settings.items()]
        return [
            *self.isolation.prefix,
            str(self.isolation.postgres_bin / "postgres"),
            "-D", str(self.data),
            "-k", str(self.socket_folder),
            "-p", str(self.port),
            *(part for argument in arguments for part in ("-c", argument)),
        ]  # fmt: skip

    def is_ready(self, pid: int) -> bool:
        """Whether the server with this pid takes connections, as it says in its own file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        # A killed server leaves its file, ready or not: the pid tells them apart.
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def make_data(folder: DataFolder, cluster: Cluster) -> bool:
    """Make the data folder unless it is there. A crash halfway leaves nothing half made.

    Raises:
        Problem: initdb fails, or the folder belongs to another PostgreSQL.
    """
    remember_postgres(folder, cluster.major)
    if cluster.data.exists():
        return False
    new = cluster.data.with_name("new")
    shutil.rmtree(new, ignore_errors=True)
    password_file = cluster.isolation.data_home / "password"
    write_private(password_file, folder.secret(ADMIN_PASSWORD) + "\n")
    if cluster.isolation.uid is not None and cluster.isolation.gid is not None:
        os.chown(password_file, cluster.isolation.uid, cluster.isolation.gid)
    try:
        done = subprocess.run(
            wrapped(
                _initdb(cluster, new, password_file),
                uid=cluster.isolation.uid,
                gid=cluster.isolation.gid,
            ),
            capture_output=True,
            text=True,
            check=False,
            cwd=cluster.isolation.data_home,
        )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Problem(f"initdb failed: {last}.", "Look at the disk's space and permissions.")
    new.rename(cluster.data)
    sync_folder(cluster.data.parent)
    return True


def _initdb(cluster: Cluster, new: Path, password_file: Path) -> Sequence[str]:
    # The builtin provider orders by code point whatever the C library is; older servers lack it.
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if cluster.major >= 17
        else ["--locale=C.UTF-8"]
    )
    return [
        *cluster.isolation.prefix,
        str(cluster.isolation.postgres_bin / "initdb"),
        "-D", str(new),
        "-U", ADMIN,
        "-E", "UTF8",
        "--auth=scram-sha-256",
        f"--pwfile={password_file}",
        "--data-checksums",
        "--no-instructions",
        *locale,
    ]  # fmt: skip
