"""A Vault-compatible server by its own API, for what must hold without our client between."""

from __future__ import annotations

import base64
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest


class RefusedError(Exception):
    """Not a 2xx. Attributes: status, text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


@dataclass
class KeyServer:
    """A server, and the prefix below which everything of a run lies."""

    address: str
    token: str
    prefix: str
    clean: list[tuple[str, str]] = field(default_factory=list)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the JSON answer, {} where there is none.

        Raises:
            RefusedError: any other status than 2xx.
        """
        sent = {"Content-Type": "application/json"} | dict(headers or {})
        given = self.token if token is None else token
        if given:
            sent["X-Vault-Token"] = given
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.address}/v1/{path}", data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, error.read().decode()) from None
        return dict(json.loads(text)) if text else {}

    def post(self, path: str, /, **body: Any) -> dict[str, Any]:
        """POST below the prefix; returns the answer's data."""
        return dict(self.call("POST", f"{self.prefix}/{path}", body).get("data") or {})

    def get(self, path: str) -> dict[str, Any]:
        """GET below the prefix; returns the answer's data."""
        return dict(self.call("GET", f"{self.prefix}/{path}")["data"])

    def make(self, path: str, body: Mapping[str, Any]) -> None:
        """Make something in sys/ that is to be deleted afterwards."""
        self.call("POST", path, body)
        self.clean.append(("DELETE", path))


def key(server: KeyServer, kind: str, **options: Any) -> str:
    name = f"{kind}-{secrets.token_hex(4)}"
    server.post(f"transit/keys/{name}", type=kind, **options)
    return name


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def opened(text: str) -> bytes:
    return base64.b64decode(text.rpartition(":")[2])


def refused(act: Callable[[], object], *statuses: int) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        act()
    assert caught.value.status in statuses, caught.value
    return caught.value
