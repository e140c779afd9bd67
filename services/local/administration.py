"""`idmesh operator`: who may call the typed APIs over REST, on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click


@click.command(name="operator")
@click.argument("operator_id")
@click.option("--role", "roles", multiple=True, help="Such as ADJUDICATOR; repeatable.")
@click.option("--inactive", is_flag=True, help="Lock the operator out instead.")
@click.option(
    "--data-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".idmesh"),
    show_default=True,
    envvar="IDMESH_DATA_FOLDER",
    help="Where the mesh runs.",
)
def command(*, operator_id: str, roles: Sequence[str], inactive: bool, data_folder: Path) -> None:
    """Make or change an operator and print a new secret, shown once.

    Roles: ADJUDICATOR, AUDITOR, IDENTITY_ADMIN, MASTERDATA_ADMIN, PARTNER_ADMIN,
    PRIVACY_OFFICER.
    """
    click.echo(asyncio.run(_put(data_folder, operator_id, roles, active=not inactive)))


async def _put(data_folder: Path, operator_id: str, roles: Sequence[str], *, active: bool) -> str:
    from idmesh.access.v1 import access_service_pb2

    from services.common.errors import PlatformError
    from services.local.demo.command import connect
    from services.local.problems import Problem
    from services.local.sandbox.operator import Operator

    mesh = connect(data_folder)
    request = access_service_pb2.PutOperatorRequest(
        operator_id=operator_id, roles=roles, active=active
    )
    async with Operator(mesh.folder, mesh.peers) as operator:
        try:
            return (await operator.access.PutOperator(request)).secret
        except PlatformError as error:
            raise Problem(error.message, "See: idmesh operator --help") from error
