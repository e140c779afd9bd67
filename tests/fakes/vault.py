"""A key service in memory: real cryptography, the real client's methods, errors on demand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.errors import InvalidArgument, PlatformError
from services.common.vault.errors import refused_ciphertext, unknown_key
from services.common.vault.types import (
    DataKey,
    IssuedCertificate,
    Mac,
    PublicKeys,
    Scheme,
    Signature,
)
from tests.fakes.certificates_of_vault import Authority

_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_AES = "aes256-gcm96"


@dataclass
class _Key:
    key_type: str
    versions: list[object] = field(default_factory=list)
    oldest: int = 1

    def rotate(self) -> None:
        self.versions.append(_MAKERS[self.key_type]())

    @property
    def latest(self) -> int:
        return len(self.versions)


_MAKERS: dict[str, Callable[[], object]] = {
    _AES: lambda: os.urandom(32),
    "hmac": lambda: os.urandom(32),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
}


class FakeVault:
    """The methods of VaultClient.

    Symmetric keys are made when they are first used, unless strict; RSA and signing keys by
    create_key. `calls` lists (method, key), one per call.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._keys: dict[str, _Key] = {}
        self._authorities: dict[str, Authority] = {}
        self._strict = strict
        self._failure: PlatformError | None = None
        self.calls: list[tuple[str, str]] = []

    def fail_with(self, error: PlatformError | None) -> None:
        """Make every call raise, until told None."""
        self._failure = error

    async def run(self) -> None:
        """A login in memory is never lost."""

    async def hmac(
        self, key: str, inputs: Sequence[bytes], *, version: int | None = None
    ) -> list[Mac]:
        found = self._use("hmac", key, "hmac")
        number, secret = self._version(found, version)
        assert isinstance(secret, bytes)
        return [Mac(number, hmac.digest(secret, each, "sha256")) for each in inputs]

    async def encrypt(
        self, key: str, items: Sequence[bytes], *, aads: Sequence[bytes] | None = None
    ) -> list[str]:
        found = self._use("encrypt", key, _AES)
        return [
            _encrypt(found, item, aad)
            for item, aad in zip(items, aads or [b""] * len(items), strict=True)
        ]

    async def decrypt(
        self, key: str, ciphertexts: Sequence[str], *, aads: Sequence[bytes] | None = None
    ) -> list[bytes]:
        found = self._use("decrypt", key, _AES)
        return [
            _decrypt(found, text, aad)
            for text, aad in zip(ciphertexts, aads or [b""] * len(ciphertexts), strict=True)
        ]

    async def rewrap(self, key: str, ciphertexts: Sequence[str]) -> list[str]:
        found = self._use("rewrap", key, _AES)
        return [_encrypt(found, _decrypt(found, each, b""), b"") for each in ciphertexts]

    async def datakey(self, key: str, *, aad: bytes | None = None) -> DataKey:
        found = self._use("datakey", key, _AES)
        plaintext = os.urandom(32)
        return DataKey(plaintext, _encrypt(found, plaintext, aad or b""), key)

    async def unwrap_datakey(self, key: str, wrapped: str, *, aad: bytes | None = None) -> bytes:
        return _decrypt(self._use("unwrap_datakey", key, _AES), wrapped, aad or b"")

    async def rsa_decrypt(
        self, key: str, version: int, ciphertexts: Sequence[bytes]
    ) -> list[bytes]:
        found = self._use("rsa_decrypt", key)
        if not found.oldest <= version <= found.latest:
            raise refused_ciphertext()
        private = found.versions[version - 1]
        assert isinstance(private, rsa.RSAPrivateKey)
        try:
            return [private.decrypt(each, _OAEP) for each in ciphertexts]
        except ValueError as error:
            raise refused_ciphertext() from error

    async def sign(
        self,
        key: str,
        payloads: Sequence[bytes],
        *,
        scheme: Scheme,
        version: int | None = None,
    ) -> list[Signature]:
        number, private = self._version(self._use("sign", key), version)
        return [Signature(number, _sign(private, scheme, each)) for each in payloads]

    async def public_keys(self, key: str, *, fresh: bool = False) -> PublicKeys:
        found = self._use("public_keys", key)
        halves = {
            number: _public(each)
            for number, each in enumerate(found.versions, 1)
            if found.key_type != "hmac" and number >= found.oldest
        }
        return PublicKeys(found.key_type, found.latest, halves, found.oldest)

    async def create_key(self, key: str, key_type: str) -> None:
        self._record("create_key", key)
        if key not in self._keys:
            self._keys[key] = _Key(key_type)
            self._keys[key].rotate()

    async def rotate_key(self, key: str) -> None:
        self._use("rotate_key", key).rotate()

    def retire(self, key: str, oldest: int) -> None:
        """Let no version below `oldest` be used any more, as its custodian does."""
        self._keys[key].oldest = oldest

    async def sign_csr(
        self,
        role: str,
        csr_pem: bytes,
        *,
        common_name: str = "",
        uri_sans: Sequence[str] = (),
        dns_names: Sequence[str] = (),
        ip_sans: Sequence[str] = (),
        ttl_s: int,
    ) -> IssuedCertificate:
        self._record("sign_csr", role)
        request = x509.load_pem_x509_csr(csr_pem)
        if not request.is_signature_valid:
            raise InvalidArgument("VAULT_REQUEST_REFUSED", "The request's signature is wrong.")
        authority = self._authority(role.rpartition("/")[0])
        not_after = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=ttl_s)
        certificate = authority.issue(
            request.public_key(),
            common_name=common_name,
            uri_sans=uri_sans,
            dns_names=dns_names,
            ip_sans=ip_sans,
            not_after=not_after,
        )
        serial = ":".join(f"{byte:02x}" for byte in certificate.serial_number.to_bytes(20, "big"))
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return IssuedCertificate(pem, pem, authority.pem, serial, not_after)

    async def ca_pem(self, mount: str) -> bytes:
        self._record("ca_pem", mount)
        return self._authority(mount).pem

    async def revoke(self, mount: str, serial: str) -> None:
        self._record("revoke", mount)
        self._authority(mount).revoked.add(int(serial.replace(":", ""), 16))

    async def crl_pem(self, mount: str) -> bytes:
        self._record("crl_pem", mount)
        return self._authority(mount).crl_pem()

    def _authority(self, mount: str) -> Authority:
        return self._authorities.setdefault(mount, Authority(mount))

    def _record(self, method: str, key: str) -> None:
        self.calls.append((method, key))
        if self._failure is not None:
            raise self._failure

    def _use(self, method: str, key: str, made_as: str | None = None) -> _Key:
        self._record(method, key)
        if key not in self._keys:
            if made_as is None or self._strict:
                raise unknown_key()
            self._keys[key] = _Key(made_as)
            self._keys[key].rotate()
        return self._keys[key]

    def _version(self, key: _Key, version: int | None) -> tuple[int, object]:
        number = key.latest if version is None else version
        if not key.oldest <= number <= key.latest:
            raise InvalidArgument("VAULT_REQUEST_REFUSED", "The key has no such version.")
        return number, key.versions[number - 1]


def _encrypt(key: _Key, plaintext: bytes, aad: bytes) -> str:
    secret, nonce = key.versions[-1], os.urandom(12)
    assert isinstance(secret, bytes)
    sealed = nonce + AESGCM(secret).encrypt(nonce, plaintext, aad)
    return f"vault:v{key.latest}:{base64.b64encode(sealed).decode()}"


def _decrypt(key: _Key, text: str, aad: bytes) -> bytes:
    try:
        head, version, rest = text.split(":", 2)
        number = int(version[1:]) if head == "vault" else 0
        secret = key.versions[number - 1] if number >= key.oldest else None
        sealed = base64.b64decode(rest, validate=True)
        assert isinstance(secret, bytes)
        return AESGCM(secret).decrypt(sealed[:12], sealed[12:], aad)
    except (ValueError, IndexError, AssertionError, InvalidTag) as error:
        raise refused_ciphertext() from error


def _sign(private: object, scheme: Scheme, payload: bytes) -> bytes:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(payload)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        pair = utils.decode_dss_signature(private.sign(payload, ec.ECDSA(hashes.SHA256())))
        return b"".join(each.to_bytes(32, "big") for each in pair)
    assert isinstance(private, rsa.RSAPrivateKey)
    if scheme == "rs256":
        return private.sign(payload, padding.PKCS1v15(), hashes.SHA256())
    length = hashlib.sha256().digest_size
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), length)
    return private.sign(payload, pss, hashes.SHA256())


def _public(private: object) -> bytes:
    if isinstance(private, bytes):
        return b""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.public_key().public_bytes_raw()
    assert isinstance(private, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey))
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
