"""What the supervisor of one machine may do in Vault: wrapped secret ids, two certificates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hvac
from hvac import exceptions

from vault.bootstrap import root
from vault.bootstrap.client import connect, names, read, write

WRAP_TTL = "300s"


@dataclass(frozen=True)
class Login:
    """An AppRole login that lasts. The secret id is a secret."""

    role_id: str
    secret_id: str


@dataclass(frozen=True)
class Signed:
    """A certificate, its chain up to below the root, and its serial number."""

    chain_pem: str
    serial: str


def issue_login(address: str, root_token: str, role: str) -> Login:
    """Make a lasting login for a role, and end those that were made before."""
    client = connect(address, root_token)
    path = f"auth/approle/role/{role}"
    for accessor in names(client, f"{path}/secret-id"):
        write(client, f"{path}/secret-id-accessor/destroy", secret_id_accessor=accessor)
    secret_id = write(client, f"{path}/secret-id")["data"]["secret_id"]
    role_id = read(client, f"{path}/role-id")
    assert role_id is not None
    return Login(role_id["role_id"], secret_id)


def log_in(address: str, login: Login) -> str:
    """Return a token of a lasting login.

    Raises:
        exceptions.VaultError: the login was ended, or replaced by a later one.
    """
    answer = write(
        connect(address), "auth/approle/login", role_id=login.role_id, secret_id=login.secret_id
    )
    return str(answer["auth"]["client_token"])


def role_ids(address: str, root_token: str, roles: Sequence[str]) -> dict[str, str]:
    """The public half of each role's login."""
    client = connect(address, root_token)
    found = {role: read(client, f"auth/approle/role/{role}/role-id") for role in roles}
    return {role: data["role_id"] for role, data in found.items() if data is not None}


def mesh_ca(address: str) -> str:
    """The PEM of the mesh's root certificate; public."""
    return str(connect(address).adapter.get("/v1/core/pki-root/issuer/default/pem").text)


class Minter:
    """Logged in as the supervisor; logs in again whenever its token has died.

    Safe to share between threads.
    """

    def __init__(self, address: str, login: Login) -> None:
        self._address = address
        self._login = login
        self._lock = threading.Lock()
        self._client: hvac.Client | None = None

    def wrapped_secret_id(self, service: str) -> str:
        """Return a token that gives a service its secret id, once, within five minutes."""
        answer = self._call(lambda client: _wrapped(client, service))
        return str(answer["wrap_info"]["token"])

    def sign(
        self, role: str, csr_pem: str, *, uri: str, dns: Sequence[str], ip: Sequence[str]
    ) -> Signed:
        """Have core/pki sign a request for `envoy` or `operator-cli`."""
        asked = {"uri_sans": uri, "alt_names": ",".join(dns), "ip_sans": ",".join(ip)}
        given = {name: value for name, value in asked.items() if value}
        data = self._call(
            lambda client: write(client, f"core/pki/sign/{role}", csr=csr_pem, **given)
        )["data"]
        above = [pem for pem in data.get("ca_chain", []) if not _is_root(pem)]
        chain = "\n".join(pem.strip() for pem in [data["certificate"], *above]) + "\n"
        return Signed(chain, str(data["serial_number"]).replace(":", ""))

    def root_token(self, recovery_key: str) -> str:
        """A new root token, for a bootstrap after the layout changed."""
        token = self._call(
            lambda client: {"token": root.regenerate(self._address, client.token, [recovery_key])}
        )
        return str(token["token"])

    def keep_alive(self) -> None:
        """Renew the token; log in again where it has died, as after a laptop slept."""
        self._call(lambda client: write(client, "auth/token/renew-self"))

    def _call(self, act: Callable[[hvac.Client], Mapping[str, Any]]) -> Mapping[str, Any]:
        with self._lock:
            if self._client is None:
                self._client = self._log_in()
            try:
                return act(self._client)
            except exceptions.Forbidden:
                self._client = self._log_in()
                return act(self._client)

    def _log_in(self) -> hvac.Client:
        return connect(self._address, log_in(self._address, self._login))


def _wrapped(client: hvac.Client, service: str) -> Mapping[str, Any]:
    path = f"/v1/auth/approle/role/{service}/secret-id"
    answer: Mapping[str, Any] = client.adapter.post(path, json={}, wrap_ttl=WRAP_TTL)
    return answer


def _is_root(pem: str) -> bool:
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem.encode())
    return certificate.issuer == certificate.subject
