"""An hvac client that talks to one server and to nothing else."""

from __future__ import annotations

from typing import Any

import hvac
import requests
from hvac import Client, exceptions
from hvac.exceptions import VaultError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

__all__ = ["Client", "VaultError", "connect", "names", "patch", "read", "write"]

TIMEOUT_S = 30
# A server that limits its callers did nothing yet: comparing a whole layout meets the limits that
# the layout sets.
_LIMITED = Retry(
    total=6,
    connect=0,
    read=0,
    redirect=0,
    status_forcelist=(429,),
    allowed_methods=("GET", "LIST", "POST", "PUT", "PATCH", "DELETE"),
    backoff_factor=0.2,
    raise_on_status=False,
)


def connect(address: str, token: str = "") -> hvac.Client:
    """Return a client. Proxies and tokens of the environment are ignored on purpose."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=_LIMITED))
    client = hvac.Client(url=address, timeout=TIMEOUT_S, session=session)
    client.token = token
    return client


def read(client: hvac.Client, path: str) -> dict[str, Any] | None:
    """Return the data at a path, or None where there is nothing (or not yet a mount)."""
    try:
        answer = client.adapter.get(f"/v1/{path}")
    except (exceptions.InvalidPath, exceptions.UnsupportedOperation):
        return None
    except exceptions.InvalidRequest as error:
        if "no handler for route" in str(error) or "does not exist" in str(error):
            return None
        raise
    document = _document(answer)
    return dict(document["data"]) if document.get("data") else None


def write(client: hvac.Client, path: str, /, **body: Any) -> dict[str, Any]:
    """Send a body to a path and return the whole answer, empty where there is none."""
    return _document(client.adapter.post(f"/v1/{path}", json=body))


def patch(client: hvac.Client, path: str, /, **body: Any) -> None:
    """Change the named fields of a path and leave the others as they are."""
    headers = {"Content-Type": "application/merge-patch+json"}
    client.adapter.request("patch", f"/v1/{path}", json=body, headers=headers)


def names(client: hvac.Client, path: str) -> list[str]:
    """Return the names below a path, none where there is nothing."""
    try:
        answer = client.adapter.list(f"/v1/{path}")
    except (exceptions.InvalidPath, exceptions.UnsupportedOperation):
        return []
    except exceptions.InvalidRequest as error:
        if "no handler for route" in str(error):
            return []
        raise
    return list(_document(answer).get("data", {}).get("keys", []))


def _document(answer: Any) -> dict[str, Any]:
    # hvac's adapter gives the parsed JSON, or the bare response where there is no body.
    return answer if isinstance(answer, dict) else {}
