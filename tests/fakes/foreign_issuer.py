"""An OpenID Connect issuer elsewhere, as far as verifiers see one: its keys, over real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.tokens import ISSUER, TokenMaker

NAME = "ministry"


class ForeignIssuer:
    """Signs as Keycloak does: RS256, roles below realm_access."""

    def __init__(self, port: int) -> None:
        self.maker = TokenMaker(rsa.generate_private_key(65537, 2048), name=NAME)
        self.jwks_uri = f"http://127.0.0.1:{port}/realms/gov/certs"
        self.fetched = 0

    def token(self, who: str, *roles: str, **other: Any) -> str:
        """Return a token of somebody with realm roles."""
        claims = self.maker.claims(who, realm_access={"roles": list(roles)}) | other
        return self.maker.signed(claims, typ="JWT")

    def toml(self) -> str:
        """Return how a mesh is told to trust it."""
        return f"""
[{NAME}]
issuer = "{ISSUER}"
audience = "idmesh"
jwks_uri = "{self.jwks_uri}"
roles_claim = "realm_access.roles"

[{NAME}.roles]
id-partners = ["PMS_ADMIN"]
id-auditors = ["AUDITOR"]
"""


@contextmanager
def foreign_issuer() -> Iterator[ForeignIssuer]:
    """Serve the keys until the block ends."""
    issuer: ForeignIssuer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetched += 1
            body = issuer.maker.jwks().encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = ForeignIssuer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
