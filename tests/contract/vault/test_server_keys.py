"""What we ask of the transit engine, by the server's own API."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from tests.fakes.key_server import KeyServer, RefusedError, b64, key, opened, refused

pytestmark = [pytest.mark.integration, pytest.mark.vault]

OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def test_a_data_key_comes_in_clear_and_wrapped_and_opens(server: KeyServer) -> None:
    name = key(server, "aes256-gcm96")
    made = server.post(f"transit/datakey/plaintext/{name}", bits=256)
    assert len(base64.b64decode(made["plaintext"])) == 32
    assert made["ciphertext"].startswith("vault:v1:")
    # Nonce of 12, 32 of key, tag of 16: what our box keeps without the prefix.
    assert len(opened(made["ciphertext"])) == 60
    again = server.post(f"transit/decrypt/{name}", ciphertext=made["ciphertext"])
    assert again["plaintext"] == made["plaintext"]
    alone = server.post(f"transit/datakey/wrapped/{name}")
    assert "plaintext" not in alone


def test_associated_data_binds_a_ciphertext(server: KeyServer) -> None:
    name = key(server, "aes256-gcm96")
    sealed = server.post(
        f"transit/encrypt/{name}", plaintext=b64(b"x"), associated_data=b64(b"row 1")
    )["ciphertext"]
    same = {"ciphertext": sealed, "associated_data": b64(b"row 1")}
    assert server.post(f"transit/decrypt/{name}", **same)["plaintext"] == b64(b"x")
    refused(
        lambda: server.post(
            f"transit/decrypt/{name}", ciphertext=sealed, associated_data=b64(b"row 2")
        ),
        400, 500,
    )  # fmt: skip


def test_a_batch_tells_of_each_item_by_itself(server: KeyServer) -> None:
    name = key(server, "aes256-gcm96")
    items = [{"plaintext": b64(b"a")}, {"plaintext": b64(b"b")}]
    sealed = server.post(f"transit/encrypt/{name}", batch_input=items)["batch_results"]
    mixed = [{"ciphertext": sealed[0]["ciphertext"]}, {"ciphertext": "vault:v1:AAAA"}]
    with pytest.raises(RefusedError) as partly:
        server.post(f"transit/decrypt/{name}", batch_input=mixed)
    results = json.loads(partly.value.text)["data"]["batch_results"]
    assert results[0]["plaintext"] == b64(b"a")
    assert results[1]["error"]
    assert server.post(
        f"transit/decrypt/{name}", batch_input=mixed, partial_failure_response_code=200
    )["batch_results"][0]["plaintext"] == b64(b"a")  # fmt: skip


def test_a_rotated_key_opens_the_old_until_it_is_retired(server: KeyServer) -> None:
    name = key(server, "aes256-gcm96")
    old = server.post(f"transit/encrypt/{name}", plaintext=b64(b"x"))["ciphertext"]
    server.post(f"transit/keys/{name}/rotate")
    assert server.post(f"transit/decrypt/{name}", ciphertext=old)["plaintext"] == b64(b"x")
    new = server.post(f"transit/rewrap/{name}", ciphertext=old)["ciphertext"]
    assert new.startswith("vault:v2:")
    server.post(f"transit/keys/{name}/config", min_decryption_version=2, min_encryption_version=2)
    refused(lambda: server.post(f"transit/decrypt/{name}", ciphertext=old), 400)
    assert server.post(f"transit/decrypt/{name}", ciphertext=new)["plaintext"] == b64(b"x")
    server.post(f"transit/keys/{name}/config", min_decryption_version=1)
    assert server.post(f"transit/decrypt/{name}", ciphertext=old)["plaintext"] == b64(b"x")
    server.post(f"transit/keys/{name}/config", min_decryption_version=2)
    server.post(f"transit/keys/{name}/trim", min_available_version=2)
    refused(lambda: server.post(f"transit/keys/{name}/config", min_decryption_version=1), 400)


def test_a_mac_of_an_old_version_can_be_asked_for_and_verifies(server: KeyServer) -> None:
    name = key(server, "hmac", key_size=32)
    first = server.post(f"transit/hmac/{name}/sha2-256", input=b64(b"1"))["hmac"]
    server.post(f"transit/keys/{name}/rotate")
    path = f"transit/hmac/{name}/sha2-256"
    assert server.post(path, input=b64(b"1"))["hmac"].startswith("vault:v2:")
    assert server.post(path, input=b64(b"1"), key_version=1)["hmac"] == first
    assert server.post(f"transit/verify/{name}/sha2-256", input=b64(b"1"), hmac=first)["valid"]
    wrong = server.post(f"transit/verify/{name}/sha2-256", input=b64(b"2"), hmac=first)
    assert wrong["valid"] is False
    assert len(server.post(path, batch_input=[{"input": b64(b"1")}] * 400)["batch_results"]) == 400


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072"])
def test_what_a_client_sealed_for_an_rsa_key_opens(server: KeyServer, kind: str) -> None:
    name = key(server, kind)
    pem = server.get(f"transit/keys/{name}")["keys"]["1"]["public_key"]
    public = serialization.load_pem_public_key(pem.encode())
    assert isinstance(public, rsa.RSAPublicKey)
    sealed = f"vault:v1:{b64(public.encrypt(b'session key', OAEP))}"
    plain = server.post(f"transit/decrypt/{name}", ciphertext=sealed)["plaintext"]
    assert base64.b64decode(plain) == b"session key"


def test_signatures_come_as_jwt_wants_them_and_by_a_pinned_version(server: KeyServer) -> None:
    name = key(server, "ecdsa-p256")
    server.post(f"transit/keys/{name}/rotate")
    answer = server.post(
        f"transit/sign/{name}/sha2-256",
        input=b64(b"head.body"), marshaling_algorithm="jws", key_version=1,
    )["signature"]  # fmt: skip
    version, _, text = answer.removeprefix("vault:").partition(":")
    raw = base64.urlsafe_b64decode(text + "==")
    pem = server.get(f"transit/keys/{name}")["keys"]["1"]["public_key"]
    public = serialization.load_pem_public_key(pem.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert (version, len(raw)) == ("v1", 64)
    der = utils.encode_dss_signature(
        int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    )
    public.verify(der, b"head.body", ec.ECDSA(hashes.SHA256()))


def test_an_ed25519_signature_verifies_by_the_raw_public_key(server: KeyServer) -> None:
    name = key(server, "ed25519")
    signature = server.post(f"transit/sign/{name}", input=b64(b"checkpoint"))["signature"]
    public = base64.b64decode(server.get(f"transit/keys/{name}")["keys"]["1"]["public_key"])
    ed25519.Ed25519PublicKey.from_public_bytes(public).verify(opened(signature), b"checkpoint")


def test_a_key_cannot_be_exported_backed_up_or_deleted(server: KeyServer) -> None:
    name = key(server, "aes256-gcm96", exportable=False, allow_plaintext_backup=False)
    prefix = f"{server.prefix}/transit"
    for method, path in (
        ("GET", f"{prefix}/export/encryption-key/{name}"),
        ("GET", f"{prefix}/backup/{name}"),
        ("DELETE", f"{prefix}/keys/{name}"),
    ):
        refused(lambda method=method, path=path: server.call(method, path), 400, 500)  # type: ignore[misc]
    found = server.get(f"transit/keys/{name}")
    assert (found["exportable"], found["deletion_allowed"]) == (False, False)


def test_more_than_a_thousand_strings_are_too_many(server: KeyServer) -> None:
    """Why our client sends at most 490 items at once. HashiCorp's limit is higher or none."""
    name = key(server, "hmac", key_size=32)
    items = [{"input": b64(b"x")}] * 490
    path = f"transit/hmac/{name}/sha2-256"
    assert len(server.post(path, batch_input=items)["batch_results"]) == 490
