"""OpenBao: its configuration, its first start, and the bootstrap that each new layout needs."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from services.local.folder import DataFolder, read_json, write_private
from services.local.http_probe import request
from services.local.ports import Ports, remembered
from services.local.problems import Problem
from vault.bootstrap import changes, layout, minting, root
from vault.bootstrap.client import connect
from vault.bootstrap.difference import ConflictError

# One machine keeps its seal key beside the store: it guards a copied disk image of the store
# alone, not the machine. Production seals by HSM or cloud KMS.
SEAL_KEY = "seal.key"
RECOVERY_KEY = "openbao-recovery.key"
ROOT_TOKEN = "openbao-root.token"  # noqa: S105 - the name of the file that holds it
SUPERVISOR_LOGIN = "openbao-supervisor.json"

_TEMPLATE = """\
storage "raft" {{
  path                   = "{store}"
  node_id                = "local"
  performance_multiplier = 1
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable     = true
}}
listener "unix" {{
  address     = "{socket}"
  socket_mode = "0600"
}}
seal "static" {{
  current_key_id = "local"
  current_key    = "file://{seal_key}"
}}
audit "file" "log" {{
  options {{
    file_path = "{audit_log}"
  }}
}}
# While one device can be written requests go on, so that a full disk under one is no outage.
audit "file" "second" {{
  options {{
    file_path = "{second_audit_log}"
  }}
}}
api_addr          = "http://127.0.0.1:{port}"
cluster_addr      = "https://127.0.0.1:{cluster_port}"
log_level         = "warn"
"""


@dataclass(frozen=True)
class OpenBao:
    """One OpenBao in a data folder."""

    folder: DataFolder
    ports: Ports
    binary: Path

    @property
    def address(self) -> str:
        """For bootstrap and administration; services use the unix socket."""
        return f"http://127.0.0.1:{self.ports['openbao']}"

    @property
    def socket(self) -> Path:
        """Where the services reach it."""
        return self.folder.sockets / "bao.sock"

    @property
    def audit_log(self) -> Path:
        """Every request, its secrets hashed. Reopened on SIGHUP."""
        return self.folder.logs / "openbao-audit.log"

    @property
    def second_audit_log(self) -> Path:
        """The same, beside the store: another disk where somebody mounts one there."""
        return self.folder.openbao / "audit-second.log"

    @property
    def bootstrapped_file(self) -> Path:
        """Which layout the server was made equal to, and the public halves of the logins."""
        return self.folder.openbao / "bootstrapped.json"

    def command(self) -> list[str]:
        """The server's command line."""
        return [str(self.binary), "server", f"-config={self.folder.config / 'openbao.hcl'}"]

    async def answers(self) -> bool:
        """Whether it serves; sealed and not initialised count before the first bootstrap."""
        status = await request(self.ports["openbao"], "/v1/sys/health", timeout_s=1.0)
        if self.bootstrapped_file.exists():
            return status == 200
        return status != 0

    def role_ids(self) -> dict[str, str]:
        """The role id of each service."""
        return dict(read_json(self.bootstrapped_file)["role_ids"])


def config_text(
    *,
    store: Path,
    port: int,
    cluster_port: int,
    socket: Path,
    seal_key: Path,
    audit_log: Path,
    second_audit_log: Path,
) -> str:
    """Return the configuration of a server on this machine."""
    return _TEMPLATE.format(
        store=store,
        port=port,
        cluster_port=cluster_port,
        socket=socket,
        seal_key=seal_key,
        audit_log=audit_log,
        second_audit_log=second_audit_log,
    )


def write_config(bao: OpenBao) -> None:
    """Write configuration and, the first time, the seal key; clear away a first start cut short.

    Raises:
        Problem: there is a store whose bootstrap was never begun here.
    """
    folder = bao.folder
    initialising = folder.openbao / "initialising"
    store = folder.openbao / "raft"
    if not bao.bootstrapped_file.exists():
        if initialising.exists() and not (folder.secrets / ROOT_TOKEN).exists():
            # It died between the answer of sys/init and the saved token: nobody can ever open
            # that store, and nothing was stored in it yet.
            shutil.rmtree(store, ignore_errors=True)
            initialising.unlink()
        elif store.exists() and any(store.iterdir()) and not initialising.exists():
            raise Problem(
                f"{store} holds keys, but {bao.bootstrapped_file.name} is missing.",
                "Restore that file from a copy, or choose another --data-folder.",
            )
        store.mkdir(mode=0o700, exist_ok=True)
        if not initialising.exists():
            write_private(initialising, "")
    seal_key = folder.secrets / SEAL_KEY
    if not seal_key.exists():
        write_private(seal_key, secrets.token_bytes(32))
    text = config_text(
        store=store,
        port=bao.ports["openbao"],
        cluster_port=bao.ports["openbao_cluster"],
        socket=bao.socket,
        seal_key=seal_key,
        audit_log=bao.audit_log,
        second_audit_log=bao.second_audit_log,
    )
    write_private(folder.config / "openbao.hcl", text)
    # A killed server leaves its socket, and a new one would not bind over it.
    bao.socket.unlink(missing_ok=True)


def prepare(bao: OpenBao) -> tuple[minting.Minter, list[str]]:
    """Initialise if new, bootstrap if the layout changed, and log in as the supervisor.

    Returns the login and what was changed. Blocking; a second run with nothing to do costs one
    login.
    """
    wanted = layout.load()
    if not bao.bootstrapped_file.exists():
        return _first_bootstrap(bao, wanted)
    _forget_root_token(bao)
    minter = _minter(bao)
    if read_json(bao.bootstrapped_file).get("fingerprint") == wanted.fingerprint():
        root.wait_until_active(bao.address)
        return minter, []
    root.wait_until_active(bao.address)
    recovery_key = (bao.folder.secrets / RECOVERY_KEY).read_text().strip()
    token = minter.root_token(recovery_key)
    try:
        done = changes.apply(connect(bao.address, token), wanted)
        _remember(bao, wanted, token)
    except ConflictError as error:
        raise Problem(
            f"OpenBao holds something else of a name of ours: {error}.",
            "Nothing was changed. See: docs/security/vault.md",
        ) from error
    finally:
        root.revoke(bao.address, token)
    return minter, done


def _first_bootstrap(bao: OpenBao, wanted: layout.Layout) -> tuple[minting.Minter, list[str]]:
    secrets_folder = bao.folder.secrets
    token_file = secrets_folder / ROOT_TOKEN
    if not root.is_initialised(bao.address):
        first = root.initialise(bao.address)
        write_private(secrets_folder / RECOVERY_KEY, first.shares[0] + "\n")
        write_private(token_file, first.root_token + "\n")
    root.wait_until_active(bao.address)
    token = token_file.read_text().strip()
    done = changes.apply(connect(bao.address, token), wanted)
    login = minting.issue_login(bao.address, token, "supervisor")
    write_private(
        secrets_folder / SUPERVISOR_LOGIN,
        json.dumps({"role_id": login.role_id, "secret_id": login.secret_id}),
    )
    _remember(bao, wanted, token)
    (bao.folder.openbao / "initialising").unlink(missing_ok=True)
    _forget_root_token(bao)
    return _minter(bao), done


def _forget_root_token(bao: OpenBao) -> None:
    token_file = bao.folder.secrets / ROOT_TOKEN
    if token_file.exists():
        root.wait_until_active(bao.address)
        root.revoke(bao.address, token_file.read_text().strip())
        token_file.unlink()


def _remember(bao: OpenBao, wanted: layout.Layout, token: str) -> None:
    ids = minting.role_ids(bao.address, token, wanted.minted)
    document = {"fingerprint": wanted.fingerprint(), "role_ids": ids}
    write_private(bao.bootstrapped_file, json.dumps(document, indent=1))


def custodian_login(folder: DataFolder) -> tuple[str, str, str]:
    """Return the address of a running OpenBao, and role id and wrapped secret id of its custodian.

    Raises:
        Problem: it was made before there was a custodian.
    """
    bao = OpenBao(folder, remembered(folder), Path())
    role_id = bao.role_ids().get(layout.KEY_CUSTODIAN)
    if role_id is None:
        raise Problem("This data folder knows no key custodian.", "Start it again: idmesh up")
    wrapped = _minter(bao).wrapped_secret_id(layout.KEY_CUSTODIAN)
    return bao.address, role_id, wrapped


def _minter(bao: OpenBao) -> minting.Minter:
    login = read_json(bao.folder.secrets / SUPERVISOR_LOGIN)
    return minting.Minter(bao.address, minting.Login(login["role_id"], login["secret_id"]))
