"""What services may rely on of a key service: held to the real one and to the fake."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from services.common.envelope import (
    Aad,
    Envelope,
    KeyUse,
    key_used,
    with_wrapped_key,
    wrapped_key,
)
from services.common.errors import InvalidArgument, NotFound
from services.common.vault import VaultClient
from tests.fakes import vaults
from tests.fakes.servers import VaultServer
from tests.fakes.vault import FakeVault

KeyService = VaultClient | FakeVault

_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_COUNT = itertools.count()
_RULES = (
    "contract/transit/* create update read",
    "contract/pki/* create update read",
)


@pytest.fixture
def fake_vault() -> FakeVault:
    return FakeVault(strict=True)


@pytest.fixture
async def real_vault(vault_server: VaultServer) -> AsyncIterator[VaultClient]:
    vaults.mount(vault_server, "contract/transit", "transit")
    _make_authority(vault_server)
    vaults.role(vault_server, "contract", *_RULES)
    async with VaultClient(vaults.login(vault_server, "contract")) as client:
        yield client


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.vault)])
def keys(request: pytest.FixtureRequest) -> KeyService:
    service: KeyService = request.getfixturevalue(f"{request.param}_vault")
    return service


def _make_authority(server: VaultServer) -> None:
    if "contract/pki/" in server.call("GET", "sys/mounts")["data"]:
        return
    vaults.mount(server, "contract/pki", "pki")
    body = {"common_name": "contract", "key_type": "ec", "key_bits": 256, "ttl": "87600h"}
    server.call("POST", "contract/pki/root/generate/internal", body)
    server.call(
        "POST",
        "contract/pki/roles/mesh",
        {"allowed_uri_sans": "spiffe://idmesh.local/*", "allow_any_name": True,
         "require_cn": False, "use_csr_sans": False, "use_csr_common_name": False,
         "key_type": "ec", "key_bits": 256},
    )  # fmt: skip


async def _key(keys: KeyService, key_type: str) -> str:
    name = f"contract/transit/{key_type}-{next(_COUNT)}"
    await keys.create_key(name, key_type)
    return name


async def test_an_hmac_is_the_same_each_time_and_old_versions_can_be_asked_for(
    keys: KeyService,
) -> None:
    key = await _key(keys, "hmac")
    [first, other] = await keys.hmac(key, [b"1234", b""])
    assert (await keys.hmac(key, [b"1234"])) == [first]
    assert first.version == 1
    assert len(first.digest) == 32
    assert other.digest != first.digest
    await keys.rotate_key(key)
    [rotated] = await keys.hmac(key, [b"1234"])
    assert rotated.version == 2
    assert rotated.digest != first.digest
    assert await keys.hmac(key, [b"1234"], version=1) == [first]


async def test_more_items_than_a_request_takes_come_back_in_order(keys: KeyService) -> None:
    key = await _key(keys, "aes256-gcm96")
    items = [str(number).encode() for number in range(1000)]
    aads = [b"row" + item for item in items]
    sealed = await keys.encrypt(key, items, aads=aads)
    assert await keys.decrypt(key, sealed, aads=aads) == items
    mac_key = await _key(keys, "hmac")
    macs = await keys.hmac(mac_key, items)
    assert len({mac.digest for mac in macs}) == 1000


async def test_empty_input_is_input(keys: KeyService) -> None:
    key = await _key(keys, "aes256-gcm96")
    assert await keys.decrypt(key, await keys.encrypt(key, [b""])) == [b""]
    assert await keys.encrypt(key, []) == []


@pytest.mark.parametrize("text", ["", "vault:v1:", "vault:v1:AAAA", "vault:v9:AAAA", "plain",
                                  "vault:v1:" + "A" * 80, "vault:vx:AAAA"])  # fmt: skip
async def test_what_is_no_ciphertext_of_the_key_is_refused(keys: KeyService, text: str) -> None:
    key = await _key(keys, "aes256-gcm96")
    with pytest.raises(InvalidArgument) as refused:
        await keys.decrypt(key, [text])
    assert refused.value.reason == "CIPHERTEXT_REFUSED"


async def test_another_key_or_binding_is_refused(keys: KeyService) -> None:
    key, other = await _key(keys, "aes256-gcm96"), await _key(keys, "aes256-gcm96")
    [sealed] = await keys.encrypt(key, [b"x"], aads=[b"here"])
    for name, aads in ((key, [b"there"]), (key, None), (other, [b"here"])):
        with pytest.raises(InvalidArgument) as refused:
            await keys.decrypt(name, [sealed], aads=aads)
        assert refused.value.reason == "CIPHERTEXT_REFUSED"


async def test_a_box_whose_header_was_changed_anywhere_does_not_open(keys: KeyService) -> None:
    key, aad = await _key(keys, "aes256-gcm96"), Aad("contract", b"1", 1)
    sealed = await Envelope(keys, key).seal(b"plain", aad)
    assert await Envelope(keys, key).open(sealed, aad) == b"plain"
    reasons = set()
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(InvalidArgument) as refused:
            await Envelope(keys, key).open(bytes(changed), aad)
        reasons.add(refused.value.reason)
    # What the tag leaves out, the key service refuses.
    assert {"CIPHERTEXT_REFUSED", "ENVELOPE_REFUSED", "ENVELOPE_OF_ANOTHER_KEY"} <= reasons


async def test_boxes_and_streams_open_after_their_data_key_was_wrapped_anew(
    keys: KeyService,
) -> None:
    key, aad = await _key(keys, "aes256-gcm96"), Aad("contract", b"1", 1)
    sealed = await Envelope(keys, key).seal(b"plain", aad)
    stream = b"".join([part async for part in Envelope(keys, key).seal_stream(_once(b"s"), aad)])
    await keys.rotate_key(key)
    [anew] = await keys.rewrap(key, [wrapped_key(sealed)])
    rotated = with_wrapped_key(sealed, anew)
    assert (key_used(sealed), key_used(rotated)) == (KeyUse(key, 1), KeyUse(key, 2))
    for each in (sealed, rotated):
        assert await Envelope(keys, key).open(each, aad) == b"plain"
    opening = Envelope(keys, key).open_stream(_once(stream), aad)
    assert [part async for part in opening] == [b"s"]


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_a_bad_item_fails_its_own_caller_only(keys: KeyService) -> None:
    key = await _key(keys, "aes256-gcm96")
    sealed = await keys.encrypt(key, [b"1", b"2", b"3"])
    outcomes = await asyncio.gather(
        keys.decrypt(key, sealed[:1]),
        keys.decrypt(key, ["vault:v1:" + "A" * 80]),
        keys.decrypt(key, sealed[1:]),
        return_exceptions=True,
    )
    assert outcomes[0] == [b"1"]
    assert isinstance(outcomes[1], InvalidArgument)
    assert outcomes[2] == [b"2", b"3"]


async def test_a_data_key_is_unwrapped_and_rewrapped(keys: KeyService) -> None:
    key = await _key(keys, "aes256-gcm96")
    datakey = await keys.datakey(key)
    assert len(datakey.plaintext) == 32
    assert datakey.plaintext not in repr(datakey).encode()
    assert await keys.unwrap_datakey(key, datakey.wrapped) == datakey.plaintext
    await keys.rotate_key(key)
    [rewrapped] = await keys.rewrap(key, [datakey.wrapped])
    assert rewrapped.startswith("vault:v2:")
    assert await keys.unwrap_datakey(key, rewrapped) == datakey.plaintext
    bound = await keys.datakey(key, aad=b"segment 7")
    assert await keys.unwrap_datakey(key, bound.wrapped, aad=b"segment 7") == bound.plaintext
    with pytest.raises(InvalidArgument):
        await keys.unwrap_datakey(key, bound.wrapped, aad=b"segment 8")


async def test_what_an_offline_client_encrypted_with_rsa_is_decrypted(keys: KeyService) -> None:
    key = await _key(keys, "rsa-2048")
    found = await keys.public_keys(key)
    assert (found.key_type, found.latest) == ("rsa-2048", 1)
    public = serialization.load_pem_public_key(found.keys[1])
    assert isinstance(public, rsa.RSAPublicKey)
    secrets = [bytes([number]) * 32 for number in range(40)]
    sealed = [public.encrypt(each, _OAEP) for each in secrets]
    assert await keys.rsa_decrypt(key, 1, sealed) == secrets
    await keys.rotate_key(key)
    assert await keys.rsa_decrypt(key, 1, sealed[:1]) == secrets[:1]
    assert (await keys.public_keys(key)).latest == 2
    for version, text in ((2, sealed[0]), (1, b"\x01" * 256), (1, b"short"), (7, sealed[0])):
        with pytest.raises(InvalidArgument) as refused:
            await keys.rsa_decrypt(key, version, [text])
        assert refused.value.reason == "CIPHERTEXT_REFUSED"


async def test_an_ed25519_signature_verifies(keys: KeyService) -> None:
    key = await _key(keys, "ed25519")
    [made] = await keys.sign(key, [b"checkpoint"], scheme="ed25519")
    raw = (await keys.public_keys(key)).keys[made.version]
    ed25519.Ed25519PublicKey.from_public_bytes(raw).verify(made.signature, b"checkpoint")


@pytest.mark.parametrize("scheme", ["rs256", "ps256"])
async def test_an_rsa_signature_verifies(keys: KeyService, scheme: str) -> None:
    key = await _key(keys, "rsa-2048")
    assert scheme in ("rs256", "ps256")
    [made] = await keys.sign(key, [b"token"], scheme="rs256" if scheme == "rs256" else "ps256")
    public = serialization.load_pem_public_key((await keys.public_keys(key)).keys[1])
    assert isinstance(public, rsa.RSAPublicKey)
    scheme_padding: padding.AsymmetricPadding = padding.PKCS1v15()
    if scheme == "ps256":
        scheme_padding = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    public.verify(made.signature, b"token", scheme_padding, hashes.SHA256())


async def test_an_es256_signature_has_the_form_of_jws_and_a_version_can_be_pinned(
    keys: KeyService,
) -> None:
    key = await _key(keys, "ecdsa-p256")
    await keys.rotate_key(key)
    [made] = await keys.sign(key, [b"token"], scheme="es256", version=1)
    assert made.version == 1
    assert len(made.signature) == 64
    public = serialization.load_pem_public_key((await keys.public_keys(key)).keys[1])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    pair = (int.from_bytes(made.signature[:32], "big"), int.from_bytes(made.signature[32:], "big"))
    public.verify(utils.encode_dss_signature(*pair), b"token", ec.ECDSA(hashes.SHA256()))


async def test_a_key_that_does_not_exist_is_not_found(keys: KeyService) -> None:
    for call in (
        keys.hmac("contract/transit/none", [b""]),
        keys.decrypt("contract/transit/none", ["vault:v1:" + "A" * 80]),
        keys.public_keys("contract/transit/none"),
        keys.rsa_decrypt("contract/transit/none", 1, [b"\x01" * 256]),
    ):
        with pytest.raises(NotFound) as refused:
            await call
        assert refused.value.reason == "VAULT_KEY_UNKNOWN"


async def test_making_a_key_twice_keeps_the_first(keys: KeyService) -> None:
    key = await _key(keys, "hmac")
    before = await keys.hmac(key, [b"x"])
    await keys.create_key(key, "hmac")
    assert await keys.hmac(key, [b"x"]) == before


async def test_a_certificate_is_signed_for_a_request_and_revoked(keys: KeyService) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    csr = builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    issued = await keys.sign_csr(
        "contract/pki/mesh",
        csr,
        uri_sans=["spiffe://idmesh.local/identity"],
        dns_names=["identity.idmesh"],
        ip_sans=["127.0.0.1"],
        ttl_s=3600,
    )
    certificate = x509.load_pem_x509_certificate(issued.certificate_pem)
    assert certificate.public_key() == private.public_key()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    assert uris == ["spiffe://idmesh.local/identity"]
    assert names.get_values_for_type(x509.DNSName) == ["identity.idmesh"]
    assert issued.not_after == certificate.not_valid_after_utc
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(issued.ca_pem))
    assert issued.chain_pem.startswith(issued.certificate_pem)
    assert issued.ca_pem.strip() in await keys.ca_pem("contract/pki")
    await keys.revoke("contract/pki", issued.serial)
    crl = x509.load_pem_x509_crl(await keys.crl_pem("contract/pki"))
    assert crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
