"""Policies and their holders' logins: AppRole on one machine, JWT or Kubernetes in a cluster."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import hvac

from vault.bootstrap.client import read
from vault.bootstrap.difference import Findings, text_diff
from vault.bootstrap.layout import LASTING, Layout, LayoutError
from vault.bootstrap.mounts import find_login_method

SERVICE = "{service}"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where services run under an orchestrator, and how it vouches for them.

    kind: "jwt" checks a token's signature with a key or a JWKS, without a call to anybody;
        "kubernetes" asks the API server's TokenReview.
    subject: of a service's token, with {service} in it (jwt).
    service_account, namespace: the same for kubernetes.
    token_max_ttl_s: when a service must log in anew, so that one whose account was taken away
        ends then.
    """

    kind: Literal["jwt", "kubernetes"]
    audience: str
    mount: str = ""
    subject: str = ""
    issuer: str = ""
    public_key_file: str = ""
    jwks_url: str = ""
    oidc_discovery_url: str = ""
    ca_file: str = ""
    host: str = ""
    namespace: str = ""
    service_account: str = ""
    token_ttl_s: int = 1200
    token_max_ttl_s: int = 14400

    def __post_init__(self) -> None:
        if self.kind not in ("jwt", "kubernetes"):
            raise ValueError(f"kind is jwt or kubernetes, not {self.kind}")
        if not self.audience:
            raise ValueError("audience must be set: a token for somebody else is no login")
        if self.kind == "jwt":
            sources = (self.public_key_file, self.jwks_url, self.oidc_discovery_url)
            if sum(map(bool, sources)) != 1:
                raise ValueError("set one of public_key_file, jwks_url and oidc_discovery_url")
            _check_names_one(self.subject, "subject")
        else:
            if not self.host or not self.namespace:
                raise ValueError("host and namespace must be set")
            _check_names_one(self.service_account, "service_account")
            if "*" in self.namespace:
                raise ValueError("namespace must name one")

    @property
    def path(self) -> str:
        """The login method's mount, below auth/."""
        return self.mount or self.kind


def load_cluster(file: Path) -> Cluster:
    """Read a cluster's TOML.

    Raises:
        LayoutError: a key is unknown, missing or contradicts another.
    """
    try:
        return Cluster(**tomllib.loads(file.read_text()))
    except (TypeError, ValueError) as error:
        raise LayoutError(f"{file.name}: {error}") from error


def find_policies(client: hvac.Client, layout: Layout, found: Findings) -> None:
    """The text of each policy of ours."""
    for name, wanted in layout.policies.items():
        path = f"sys/policies/acl/{name}"
        live = str((read(client, path) or {}).get("policy", ""))
        if live != wanted:
            body = {"policy": wanted}
            found.write(client, f"write the policy {name}", path, body, text_diff(live, wanted))


def find_approles(client: hvac.Client, layout: Layout, found: Findings) -> None:
    """A service's secret id works once, within minutes; one of LASTING lasts."""
    find_login_method(client, "approle", "approle", found)
    for name in layout.logins:
        lasting = name in LASTING
        wanted = {
            "token_policies": [name],
            "token_no_default_policy": True,
            "token_period": layout.token_period_s,
            "token_type": "service",
            "bind_secret_id": True,
            "secret_id_num_uses": 0 if lasting else 1,
            "secret_id_ttl": 0 if lasting else layout.secret_id_ttl_s,
        }
        found.compare(client, f"auth/approle/role/{name}", wanted)


def find_cluster_logins(
    client: hvac.Client, layout: Layout, cluster: Cluster, found: Findings
) -> None:
    """The login method of a cluster and a role for each service, bound to its one account."""
    find_login_method(client, cluster.path, cluster.kind, found)
    found.compare(client, f"auth/{cluster.path}/config", _config(cluster))
    for name in layout.services:
        role = (_jwt_role if cluster.kind == "jwt" else _kubernetes_role)(cluster, name)
        common = {
            "token_policies": [name],
            "token_no_default_policy": True,
            "token_ttl": cluster.token_ttl_s,
            "token_max_ttl": cluster.token_max_ttl_s,
            "token_type": "service",
        }
        found.compare(client, f"auth/{cluster.path}/role/{name}", {**common, **role})


def _config(cluster: Cluster) -> dict[str, Any]:
    ca = Path(cluster.ca_file).read_text().strip() if cluster.ca_file else ""
    if cluster.kind == "kubernetes":
        # Without a CA of its own the server runs in the cluster and takes what its pod has.
        given = {"kubernetes_ca_cert": ca, "disable_local_ca_jwt": True} if ca else {}
        return {"kubernetes_host": cluster.host, **given}
    config: dict[str, Any] = {"bound_issuer": cluster.issuer}
    if cluster.public_key_file:
        config["jwt_validation_pubkeys"] = [Path(cluster.public_key_file).read_text().strip()]
    elif cluster.jwks_url:
        config |= {"jwks_url": cluster.jwks_url, **({"jwks_ca_pem": ca} if ca else {})}
    else:
        config["oidc_discovery_url"] = cluster.oidc_discovery_url
        config |= {"oidc_discovery_ca_pem": ca} if ca else {}
    return config


def _jwt_role(cluster: Cluster, service: str) -> dict[str, Any]:
    return {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [cluster.audience],
        "bound_subject": cluster.subject.replace(SERVICE, service),
    }


def _kubernetes_role(cluster: Cluster, service: str) -> dict[str, Any]:
    return {
        "audience": cluster.audience,
        "bound_service_account_names": [cluster.service_account.replace(SERVICE, service)],
        "bound_service_account_namespaces": [cluster.namespace],
    }


def _check_names_one(pattern: str, what: str) -> None:
    if SERVICE not in pattern or "*" in pattern:
        raise ValueError(f"{what} must hold {SERVICE} and no *: one account for each service")
