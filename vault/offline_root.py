"""Signs the requests of `idmesh bootstrap --offline-root`, on a machine that no network reaches.

Takes Python and `cryptography`, nothing else of idmesh:

    python offline_root.py new  --key root.key --out root.pem --name "idmesh domain root"
    python offline_root.py sign --key root.key --root root.pem --request core-pki-partner.csr.pem

The key lies encrypted under a passphrase that is asked for, or read from --passphrase-file. The
same with openssl: docs/security/vault.md.
"""

from __future__ import annotations

import argparse
import getpass
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ROOT_DAYS = 7300
AUTHORITY_DAYS = 3650
RSA_BITS = 4096


def new_root(name: str, passphrase: bytes, *, curve: bool) -> tuple[bytes, bytes]:
    """Return a new root's encrypted key and its certificate, both PEM."""
    key = (
        ec.generate_private_key(ec.SECP384R1())
        if curve
        else rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(subject, subject, key.public_key(), ROOT_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .sign(key, hashes.SHA384())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    return pem, certificate.public_bytes(serialization.Encoding.PEM)


def sign(request_pem: bytes, key_pem: bytes, root_pem: bytes, passphrase: bytes) -> bytes:
    """Return the certificate (PEM) of an authority that signs leaves and no further authority.

    Raises:
        ValueError: the request's signature is wrong, or the key is not the root's.
    """
    request = x509.load_pem_x509_csr(request_pem)
    root = x509.load_pem_x509_certificate(root_pem)
    key = serialization.load_pem_private_key(key_pem, passphrase)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("the root's key is neither RSA nor EC")
    if key.public_key() != root.public_key():
        raise ValueError("the key is not the root's")
    if not request.is_signature_valid:
        raise ValueError("the request is not signed by its own key")
    public = request.public_key()
    if not isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise ValueError("the request's key is neither RSA nor EC")
    certificate = (
        _builder(request.subject, root.subject, public, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA384())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--passphrase-file", type=Path)
    verbs = parser.add_subparsers(dest="verb", required=True)
    new = verbs.add_parser("new", help="make a root")
    new.add_argument("--key", type=Path, required=True)
    new.add_argument("--out", type=Path, required=True)
    new.add_argument("--name", required=True)
    new.add_argument("--curve", action="store_true", help="P-384 instead of RSA-4096 (core/pki)")
    signing = verbs.add_parser("sign", help="sign requests; NAME.csr.pem gives NAME.pem")
    signing.add_argument("--key", type=Path, required=True)
    signing.add_argument("--root", type=Path, required=True)
    signing.add_argument("--request", type=Path, action="append", required=True)
    given = parser.parse_args(arguments)
    passphrase = _passphrase(given.passphrase_file)
    if given.verb == "new":
        key_pem, root_pem = new_root(given.name, passphrase, curve=given.curve)
        with os.fdopen(os.open(given.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as to:
            to.write(key_pem)
        given.out.write_bytes(root_pem)
        return
    for request in given.request:
        pem = sign(
            request.read_bytes(), given.key.read_bytes(), given.root.read_bytes(), passphrase
        )
        out = request.with_name(request.name.removesuffix(".csr.pem") + ".pem")
        out.write_bytes(pem)
        print(out)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _passphrase(file: Path | None) -> bytes:
    text = file.read_text().strip() if file else getpass.getpass("passphrase of the root's key: ")
    if not text:
        raise SystemExit("a root's key is never stored without a passphrase")
    return text.encode()


if __name__ == "__main__":
    main()
