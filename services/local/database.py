"""Who owns what in the database: one schema and one login role per service."""

from __future__ import annotations

from urllib.parse import quote

from services.local import topology
from services.local.folder import DataFolder
from services.local.postgres import ADMIN, ADMIN_PASSWORD, DATABASE, Cluster
from services.local.store.roles import Admin, prepare


def password_file(service: str) -> str:
    """The name of the file, in the folder of secrets, that holds a service's password."""
    return f"postgres-{service}.password"


def administrator(folder: DataFolder, cluster: Cluster) -> Admin:
    """How the supervisor connects."""
    return Admin(
        cluster.socket_folder, cluster.port, ADMIN, folder.secret(ADMIN_PASSWORD), DATABASE
    )


def admin_dsn(admin: Admin) -> str:
    """The same as a URL, for tools that take one."""
    user, password = quote(admin.user), quote(admin.password)
    host = quote(str(admin.host), safe="")
    return f"postgresql://{user}:{password}@/{admin.database}?host={host}&port={admin.port}"


async def prepare_database(folder: DataFolder, cluster: Cluster) -> bool:
    """Make roles and schemas as they should be. Returns whether anything was different."""
    names = topology.services_with_database()
    passwords = {name: folder.secret(password_file(name)) for name in names}
    return await prepare(administrator(folder, cluster), names, passwords)
