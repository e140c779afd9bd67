"""A certificate authority's web server: its revocation list and its OCSP responder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.fakes.certificates import Issued, crl


@dataclass
class Responder:
    """What it answers can be changed while it runs."""

    authority: Issued
    url: str = ""
    revoked: set[int] = field(default_factory=set)
    # None: as it should be.
    body: bytes | None = None
    status: int = 200
    location: str = ""
    # Who signs OCSP answers; None: the authority itself.
    signer: Issued | None = None
    nonce: bytes | None = None
    age: timedelta = timedelta(0)
    asked: list[str] = field(default_factory=list)

    @property
    def extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        """What certificates say of it."""
        list_at = x509.UniformResourceIdentifier(f"{self.url}/list.crl")
        ask_at = x509.UniformResourceIdentifier(f"{self.url}/ocsp")
        point = x509.DistributionPoint([list_at], None, None, None)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, ask_at)
        return [
            (x509.CRLDistributionPoints([point]), False),
            (x509.AuthorityInformationAccess([access]), False),
        ]

    def list(self, *, at: datetime | None = None) -> bytes:
        """Return the revocation list."""
        return crl(self.authority, sorted(self.revoked), at=at).public_bytes(Encoding.DER)

    def answer(self, question: bytes, certificates: dict[int, x509.Certificate]) -> bytes:
        """Return the OCSP answer to a question."""
        asked = ocsp.load_der_ocsp_request(question)
        now = datetime.now(UTC) - self.age
        gone = asked.serial_number in self.revoked
        signer = self.signer or self.authority
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificates[asked.serial_number],
            issuer=self.authority.certificate,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.REVOKED if gone else ocsp.OCSPCertStatus.GOOD,
            this_update=now,
            next_update=now + timedelta(hours=4),
            revocation_time=now if gone else None,
            revocation_reason=x509.ReasonFlags.key_compromise if gone else None,
        )
        echoed = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        builder = builder.add_extension(x509.OCSPNonce(self.nonce or echoed), critical=False)
        if self.signer is not None:
            builder = builder.certificates([self.signer.certificate])
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


@asynccontextmanager
async def running(
    authority: Issued, certificates: dict[int, x509.Certificate]
) -> AsyncIterator[Responder]:
    """Serve on a free port; certificates are those that the responder knows, by serial."""
    responder = Responder(authority)

    async def serve(request: web.Request) -> web.Response:
        responder.asked.append(request.path)
        if responder.location:
            return web.Response(status=302, headers={"location": responder.location})
        body = responder.body
        if body is None and request.path == "/ocsp":
            body = responder.answer(await request.read(), certificates)
        return web.Response(
            body=responder.list() if body is None else body, status=responder.status
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        responder.url = f"http://{host}:{port}"
        yield responder
    finally:
        await runner.cleanup()
