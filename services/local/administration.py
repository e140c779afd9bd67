"""`idmesh operator`: who may call the typed APIs, on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

T = TypeVar("T")

_roles = click.option("--role", "roles", multiple=True, help="Such as ADJUDICATOR; repeatable.")
_name = click.argument("operator_id")


@click.group(name="operator")
@click.option(
    "--data-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".idmesh"),
    show_default=True,
    envvar="IDMESH_DATA_FOLDER",
    help="Where the mesh runs.",
)
@click.pass_context
def command(context: click.Context, *, data_folder: Path) -> None:
    """Make, change and help operators: people who log in, and clients (programs).

    \b
    A program:  idmesh operator client ID --role AUDITOR       prints its secret, once
    A person:   idmesh operator create ID --role ADJUDICATOR   prints a first password, once
                idmesh operator password ID                    the person chooses another
                idmesh operator enrol-totp ID                  and enrols a second factor
                idmesh operator login ID                       and gets a token

    What takes something away (deactivate, roles, reset) ends all tokens of the operator within
    seconds.
    """
    context.obj = data_folder


@command.command()
@_name
@_roles
@click.option("--inactive", is_flag=True, help="Lock the client out instead.")
@click.pass_obj
def client(folder: Path, operator_id: str, roles: Sequence[str], *, inactive: bool) -> None:
    """Make or change a client and print a new secret."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.PutOperatorRequest(operator_id=operator_id, roles=roles, active=not inactive)
    made = _call(folder, lambda operator: operator.access.PutOperator(request))
    click.echo(made.secret)


@command.command("add-key")
@_name
@click.argument("public_key", type=click.File())
@click.pass_obj
def add_key(folder: Path, operator_id: str, public_key: Any) -> None:
    """Let a client prove itself with a key (private_key_jwt): PEM or JWK. Prints the key's id."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.AddClientKeyRequest(client_id=operator_id, public_key=public_key.read())
    click.echo(_call(folder, lambda operator: operator.access.AddClientKey(request)).key_id)


@command.command()
@_name
@_roles
@click.pass_obj
def create(folder: Path, operator_id: str, roles: Sequence[str]) -> None:
    """Make a person and print a password for the first login."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.CreateOperatorRequest(operator_id=operator_id, roles=roles)
    click.echo(_call(folder, lambda operator: operator.people.CreateOperator(request)).password)


@command.command("list")
@click.pass_obj
def list_(folder: Path) -> None:
    """Show all operators."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.ListOperatorsRequest()
    found = _call(folder, lambda operator: operator.people.ListOperators(request))
    for each in found.operators:
        click.echo(_line(each))


@command.command()
@_name
@_roles
@click.pass_obj
def roles(folder: Path, operator_id: str, roles: Sequence[str]) -> None:
    """Replace an operator's roles; without --role it has none."""
    from idmesh.access.v1 import access_service_pb2 as pb

    _change(
        folder,
        pb.ChangeOperatorRequest(operator_id=operator_id, replace_roles=True, roles=roles),
    )


@command.command()
@_name
@click.pass_obj
def deactivate(folder: Path, operator_id: str) -> None:
    """Let an operator in no more, and end all its tokens."""
    from idmesh.access.v1 import access_service_pb2 as pb

    _change(folder, pb.ChangeOperatorRequest(operator_id=operator_id, active=False))


@command.command()
@_name
@click.pass_obj
def activate(folder: Path, operator_id: str) -> None:
    """Let an operator in again."""
    from idmesh.access.v1 import access_service_pb2 as pb

    _change(folder, pb.ChangeOperatorRequest(operator_id=operator_id, active=True))


@command.command()
@_name
@click.option("--totp", is_flag=True, help="Take the second factor away as well.")
@click.pass_obj
def reset(folder: Path, operator_id: str, *, totp: bool) -> None:
    """Print a new password for a person's next login, and end all tokens."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.ResetOperatorRequest(operator_id=operator_id, second_factor_too=totp)
    click.echo(_call(folder, lambda operator: operator.people.ResetOperator(request)).password)


@command.command()
@_name
@click.pass_obj
def unlock(folder: Path, operator_id: str) -> None:
    """Forget an operator's wrong attempts."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.UnlockOperatorRequest(operator_id=operator_id)
    _call(folder, lambda operator: operator.people.UnlockOperator(request))


@command.command()
@_name
@click.password_option("--new-password", prompt="New password", help="Asked for.")
@click.option("--password", prompt="Present password", hide_input=True, help="Asked for.")
@click.option("--code", default="", help="Of the second factor, where there is one.")
@click.pass_obj
def password(
    folder: Path, operator_id: str, *, new_password: str, password: str, code: str
) -> None:
    """Choose another password."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.ChangePasswordRequest(
        operator_id=operator_id, password=password, code=code, new_password=new_password
    )
    _call(folder, lambda operator: operator.people.ChangePassword(request))


@command.command("enrol-totp")
@_name
@click.option("--password", prompt=True, hide_input=True, help="Asked for.")
@click.pass_obj
def enrol_totp(folder: Path, operator_id: str, *, password: str) -> None:
    """Enrol a second factor: shows its URI, asks for a code, prints recovery codes."""
    from idmesh.access.v1 import access_service_pb2 as pb

    begin = pb.EnrolTotpRequest(operator_id=operator_id, password=password)
    click.echo(_call(folder, lambda operator: operator.people.EnrolTotp(begin)).uri)
    confirm = pb.ConfirmTotpRequest(
        operator_id=operator_id, password=password, code=click.prompt("Code that it shows")
    )
    answer = _call(folder, lambda operator: operator.people.ConfirmTotp(confirm))
    click.echo("Recovery codes, each good once:")
    for code in answer.recovery_codes:
        click.echo(code)


@command.command()
@_name
@click.option("--password", prompt=True, hide_input=True, help="Asked for.")
@click.option("--code", prompt=True, default="", show_default=False, help="Asked for.")
@click.pass_obj
def login(folder: Path, operator_id: str, *, password: str, code: str) -> None:
    """Print a token."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.LoginRequest(operator_id=operator_id, password=password, code=code)
    click.echo(_call(folder, lambda operator: operator.people.Login(request)).access_token)


@command.command("renew-signer")
@click.pass_obj
def renew_signer(folder: Path) -> None:
    """Move token signing to the newest version of core/transit/token-signer."""
    from idmesh.access.v1 import access_service_pb2 as pb

    request = pb.RenewSignerRequest()
    answer = _call(folder, lambda operator: operator.access.RenewSigner(request))
    click.echo(f"version {answer.key_version} in {answer.usable_in_s:.0f} s")


def _change(folder: Path, request: Any) -> None:
    changed = _call(folder, lambda operator: operator.people.ChangeOperator(request))
    click.echo(_line(changed.operator))


def _line(each: Any) -> str:
    words = ["person" if each.person else "client", "active" if each.active else "inactive"]
    words += ["totp"] if each.has_second_factor else []
    words += ["first password"] if each.must_change_password else []
    words += ["locked"] if each.locked else []
    return f"{each.operator_id:24} {', '.join(words):32} {' '.join(each.roles)}".rstrip()


def _call(folder: Path, ask: Callable[[Any], Awaitable[T]]) -> T:
    return asyncio.run(_asked(folder, ask))


async def _asked(folder: Path, ask: Callable[[Any], Awaitable[T]]) -> T:
    from services.common.errors import PlatformError
    from services.local.demo.command import connect
    from services.local.problems import Problem
    from services.local.sandbox.operator import Operator

    mesh = connect(folder)
    async with Operator(mesh.folder, mesh.peers) as operator:
        try:
            return await ask(operator)
        except PlatformError as error:
            raise Problem(error.message, "See: idmesh operator --help") from error
