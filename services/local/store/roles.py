"""Roles, schemas and limits of the database, made so at every start when they are not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

OWNER = "idmesh_owner"
SCRAM_ITERATIONS = 4096

# A role that holds a transaction open holds back every follower of every feed.
LIMITS: Mapping[str, str] = {
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "15s",
}
TRANSACTION_LIMIT_SINCE = 17


@dataclass(frozen=True)
class Admin:
    """How the administrator connects."""

    host: Path
    port: int
    user: str
    password: str
    database: str

    async def connect(self, database: str) -> asyncpg.Connection:
        """Open one connection."""
        return await asyncpg.connect(
            host=str(self.host),
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            timeout=10,
            ssl=False,
        )


async def prepare(admin: Admin, services: Sequence[str], passwords: Mapping[str, str]) -> bool:
    """Make the database, the owner, and a schema with a login for each service. Idempotent.

    Returns whether anything was different.
    """
    connection = await admin.connect("postgres")
    try:
        await _make_database(connection, admin.database)
        version = connection.get_server_version().major
    finally:
        await connection.close()
    script = "\n".join(_script(admin.database, services, passwords, version))
    mark = hashlib.sha256(script.encode()).hexdigest()
    connection = await admin.connect(admin.database)
    try:
        if await connection.fetchval(_COMMENT) == mark:
            return False
        async with connection.transaction():
            await connection.execute(script)
            await connection.execute(f"COMMENT ON DATABASE {admin.database} IS '{mark}'")
    finally:
        await connection.close()
    return True


_COMMENT = """
SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()
"""


async def _make_database(connection: asyncpg.Connection, name: str) -> None:
    known = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)
    if known is None:
        await connection.execute(f"CREATE DATABASE {name}")


def _script(
    database: str, services: Sequence[str], passwords: Mapping[str, str], version: int
) -> list[str]:
    """Names are ours, not a caller's; passwords are sent as SCRAM verifiers, never in clear."""
    lines = [
        _make_role(OWNER, "NOLOGIN"),
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
    ]
    limits = dict(LIMITS)
    if version >= TRANSACTION_LIMIT_SINCE:
        limits["transaction_timeout"] = "60s"
    for service in services:
        verifier = scram_verifier(passwords[service])
        lines += [
            _make_role(service, "LOGIN"),
            f"ALTER ROLE {service} LOGIN NOINHERIT PASSWORD '{verifier}';",
            f"GRANT CONNECT ON DATABASE {database} TO {service};",
            f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {OWNER};",
            f"GRANT USAGE ON SCHEMA {service} TO {service};",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {service}"
            f" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service};",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {service}"
            f" GRANT USAGE, SELECT ON SEQUENCES TO {service};",
            f"ALTER ROLE {service} SET search_path = {service};",
        ]
        lines += [f"ALTER ROLE {service} SET {name} = '{value}';" for name, value in limits.items()]
    return lines


def _make_role(name: str, login: str) -> str:
    unless = f"IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}')"
    return f"DO $$ BEGIN {unless} THEN CREATE ROLE {name} {login}; END IF; END $$;"


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for SCRAM-SHA-256.

    The salt is derived from the password, a random one of 256 bits, so that the same password
    gives the same script.
    """
    salt = hashlib.sha256(b"salt" + password.encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored, shown = (
        base64.b64encode(part).decode() for part in (hashlib.sha256(client).digest(), server)
    )
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{base64.b64encode(salt).decode()}${stored}:{shown}"


def prepare_now(admin: Admin, services: Sequence[str], passwords: Mapping[str, str]) -> bool:
    """`prepare` for a caller without an event loop."""
    return asyncio.run(prepare(admin, services, passwords))
