"""What vouches for pods: signed service-account tokens, and the API server's TokenReview."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.fakes.servers import free_port

ISSUER = "https://orchestrator.example"
AUDIENCE = "vault"
NAMESPACE = "idmesh"


class Orchestrator:
    """Signs the tokens of service accounts as a cluster does, with ES256."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key_pem(self) -> str:
        return (
            self._key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def token(
        self,
        account: str,
        *,
        namespace: str = NAMESPACE,
        audience: str = AUDIENCE,
        issuer: str = ISSUER,
        life_s: float = 600.0,
        algorithm: str = "ES256",
    ) -> str:
        """A projected token of a service account; negative life: it has ended."""
        now = int(time.time())
        claims = {
            "iss": issuer,
            "aud": [audience],
            "sub": f"system:serviceaccount:{namespace}:{account}",
            "iat": now - 1200,
            "nbf": now - 1200,
            "exp": int(now + life_s),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": "1"},
            },
        }
        signed = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(claims)}"
        if algorithm == "none":
            return f"{signed}."
        r, s = utils.decode_dss_signature(
            self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        )
        return f"{signed}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@contextmanager
def token_review(folder: Path, accounts: dict[str, tuple[str, str]]) -> Iterator[tuple[str, Path]]:
    """Serve TokenReview over TLS; accounts maps a token to its namespace and account.

    Only those tokens are known, and for AUDIENCE alone. Yields the host's address and the file
    of the certificate to trust.
    """
    pem = _own_certificate(folder)

    class Review(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["spec"]
            who = accounts.get(asked["token"])
            known = who is not None and asked.get("audiences", [AUDIENCE]) == [AUDIENCE]
            status: dict[str, Any] = {"authenticated": False, "error": "unknown token"}
            if known and who is not None:
                name = f"system:serviceaccount:{who[0]}:{who[1]}"
                user = {"username": name, "uid": "1", "groups": ["system:serviceaccounts"]}
                status = {"authenticated": True, "audiences": [AUDIENCE], "user": user}
            answer = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
            payload = json.dumps(answer | {"status": status}).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Review)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, folder / "token-review.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}", pem
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _own_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "token-review.key").write_bytes(private)
    path = folder / "token-review.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _part(document: dict[str, Any]) -> str:
    return _encoded(json.dumps(document).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
