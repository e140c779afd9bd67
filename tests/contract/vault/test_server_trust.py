"""What we ask of policies, logins, certificates and quotas, by the server's own API."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.fakes.key_server import KeyServer, RefusedError, b64, key, refused
from tests.fakes.orchestrator import AUDIENCE, ISSUER, Orchestrator

pytestmark = [pytest.mark.integration, pytest.mark.vault]


def test_a_service_can_do_its_verb_and_no_other(server: KeyServer) -> None:
    name = key(server, "aes256-gcm96")
    path = f"{server.prefix}/transit"
    policy = f'path "{path}/encrypt/{name}" {{ capabilities = ["update"] }}'
    server.make(f"sys/policies/acl/{server.prefix}-verb", {"policy": policy})
    token = _login(server, "verb")["client_token"]
    body = {"plaintext": b64(b"x")}
    sealed = server.call("POST", f"{path}/encrypt/{name}", body, token=token)["data"]
    for verb, sent in (("decrypt", sealed), ("rewrap", sealed), ("datakey/plaintext", {})):
        refused(
            lambda verb=verb, sent=sent: server.call(  # type: ignore[misc]
                "POST", f"{path}/{verb}/{name}", sent, token=token
            ),
            403,
        )


def _login(server: KeyServer, role: str) -> dict[str, Any]:
    """Log in by a wrapped secret id that works once, as on one machine."""
    base = f"auth/{server.prefix}-approle"
    wanted = {
        "token_policies": [f"{server.prefix}-{role}"],
        "token_no_default_policy": True,
        "token_period": 1200,
        "secret_id_num_uses": 1,
        "secret_id_ttl": 600,
    }
    server.call("POST", f"{base}/role/{role}", wanted)
    role_id = server.call("GET", f"{base}/role/{role}/role-id")["data"]["role_id"]
    wrapped = server.call(
        "POST", f"{base}/role/{role}/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60s"}
    )
    assert "data" not in wrapped or not wrapped["data"], "in clear it went to nobody"
    token = wrapped["wrap_info"]["token"]
    secret = server.call("POST", "sys/wrapping/unwrap", token=token)["data"]["secret_id"]
    refused(lambda: server.call("POST", "sys/wrapping/unwrap", token=token), 400, 403)
    body = {"role_id": role_id, "secret_id": secret}
    auth = dict(server.call("POST", f"{base}/login", body, token="")["auth"])
    refused(lambda: server.call("POST", f"{base}/login", body, token=""), 400, 403)
    return auth


def test_a_token_is_renewed_and_ends_when_revoked(server: KeyServer) -> None:
    own = 'path "auth/token/*" { capabilities = ["read", "update"] }'
    server.make(f"sys/policies/acl/{server.prefix}-own", {"policy": own})
    auth = _login(server, "own")
    assert (auth["renewable"], auth["lease_duration"]) == (True, 1200)
    token = auth["client_token"]
    renewed = server.call("POST", "auth/token/renew-self", {}, token=token)["auth"]
    assert renewed["lease_duration"] == 1200
    server.call("POST", "auth/token/revoke-self", {}, token=token)
    refused(lambda: server.call("GET", "auth/token/lookup-self", token=token), 403)


def test_a_wrapping_can_be_demanded_by_policy(server: KeyServer) -> None:
    base = f"auth/{server.prefix}-approle/role/minted"
    server.call("POST", base, {"token_policies": []})
    rules = (
        f'path "{base}/secret-id" {{ capabilities = ["update"] min_wrapping_ttl = "1s" '
        'max_wrapping_ttl = "300s" }'
    )
    server.make(f"sys/policies/acl/{server.prefix}-minter", {"policy": rules})
    token = _login(server, "minter")["client_token"]
    path = f"{base}/secret-id"
    refused(lambda: server.call("POST", path, {}, token=token), 403)
    long = {"X-Vault-Wrap-TTL": "3600s"}
    refused(lambda: server.call("POST", path, {}, token=token, headers=long), 400, 403)
    short = {"X-Vault-Wrap-TTL": "60s"}
    assert server.call("POST", path, {}, token=token, headers=short)["wrap_info"]["token"]


def test_a_pod_logs_in_by_a_signed_token_without_a_call_to_anybody(server: KeyServer) -> None:
    pods = Orchestrator()
    base = f"auth/{server.prefix}-jwt"
    config = {"jwt_validation_pubkeys": [pods.public_key_pem], "bound_issuer": ISSUER}
    server.call("POST", f"{base}/config", config)
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [AUDIENCE],
        "bound_subject": "system:serviceaccount:idmesh:identity",
        "token_ttl": 1200,
    }
    server.call("POST", f"{base}/role/identity", role)

    def login(token: str) -> dict[str, Any]:
        return server.call("POST", f"{base}/login", {"role": "identity", "jwt": token}, token="")

    assert login(pods.token("identity"))["auth"]["lease_duration"] == 1200
    for wrong in (
        pods.token("abis"),
        pods.token("identity", audience="elsewhere"),
        pods.token("identity", life_s=-600),
        pods.token("identity", algorithm="none"),
        Orchestrator().token("identity"),
    ):
        refused(lambda wrong=wrong: login(wrong), 400, 403)  # type: ignore[misc]


@pytest.fixture(scope="module")
def authority(server: KeyServer) -> KeyServer:
    """A root and an authority below it, whose request the root signed."""
    server.post("root/root/generate/internal", common_name="contract root", ttl="87600h",
                key_type="ec", key_bits=256)  # fmt: skip
    csr = server.post("pki/intermediate/generate/internal", common_name="contract CA",
                      key_type="ec", key_bits=256)["csr"]  # fmt: skip
    signed = server.post("root/root/sign-intermediate", csr=csr, common_name="contract CA",
                         max_path_length=0, format="pem_bundle", ttl="8760h")  # fmt: skip
    server.post("pki/intermediate/set-signed", certificate=signed["certificate"])
    server.post(
        "pki/roles/identity",
        allowed_uri_sans=["spiffe://contract.test/identity"],
        allowed_domains=["identity.idmesh"], allow_bare_domains=True, require_cn=False,
        use_csr_sans=False, use_csr_common_name=False, key_type="ec", key_bits=256,
        max_ttl=86400, no_store=False,
    )  # fmt: skip
    return server


def csr_of(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(private, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def test_a_request_is_signed_for_the_roles_name_alone(authority: KeyServer) -> None:
    csr = csr_of(ec.generate_private_key(ec.SECP256R1()))
    given = {"uri_sans": "spiffe://contract.test/identity", "alt_names": "identity.idmesh"}
    data = authority.post("pki/sign/identity", csr=csr, ttl="3600s", **given)
    leaf = x509.load_pem_x509_certificate(data["certificate"].encode())
    chain = [x509.load_pem_x509_certificate(pem.encode()) for pem in data["ca_chain"]]
    leaf.verify_directly_issued_by(chain[0])
    chain[0].verify_directly_issued_by(chain[1])
    for wrong in (
        {"uri_sans": "spiffe://contract.test/abis"},
        {"uri_sans": "spiffe://elsewhere.test/identity"},
        {"alt_names": "abis.idmesh"},
        {"ip_sans": "10.0.0.1", "alt_names": "*.idmesh"},
    ):
        refused(
            lambda wrong=wrong: authority.post("pki/sign/identity", csr=csr, **wrong),  # type: ignore[misc]
            400,
        )
    weak = csr_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    refused(lambda: authority.post("pki/sign/identity", csr=weak, **given), 400)


def test_a_revoked_certificate_is_in_the_list_at_once(authority: KeyServer) -> None:
    authority.post("pki/config/crl", auto_rebuild=False, expiry="72h")
    csr = csr_of(ec.generate_private_key(ec.SECP256R1()))
    given = {"uri_sans": "spiffe://contract.test/identity"}
    serial = authority.post("pki/sign/identity", csr=csr, **given)["serial_number"]
    authority.post("pki/revoke", serial_number=serial)
    pem = authority.get("pki/cert/crl")["certificate"]
    number = int(serial.replace(":", ""), 16)
    found = x509.load_pem_x509_crl(pem.encode()).get_revoked_certificate_by_serial_number(number)
    assert found is not None


def test_one_field_of_a_role_is_changed_and_the_others_stay(authority: KeyServer) -> None:
    path = f"{authority.prefix}/pki/roles/identity"
    headers = {"Content-Type": "application/merge-patch+json"}
    authority.call("PATCH", path, {"ttl": 60}, headers=headers)
    found = authority.get("pki/roles/identity")
    assert (found["ttl"], found["max_ttl"]) == (60, 86400)
    assert found["allowed_uri_sans"] == ["spiffe://contract.test/identity"]


def test_a_transit_key_asks_for_a_certificate_and_never_leaves(authority: KeyServer) -> None:
    name = key(authority, "rsa-2048")
    csr = authority.post(f"transit/keys/{name}/csr")["csr"]
    request = x509.load_pem_x509_csr(csr.encode())
    assert request.is_signature_valid
    authority.post("pki/roles/envelope", allow_any_name=True, enforce_hostnames=False,
                   key_type="rsa", key_usage=["KeyEncipherment"])  # fmt: skip
    data = authority.post("pki/sign/envelope", csr=csr, common_name="envelope", ttl="1h")
    leaf = x509.load_pem_x509_certificate(data["certificate"].encode())
    pem = authority.get(f"transit/keys/{name}")["keys"]["1"]["public_key"]
    assert leaf.public_key() == serialization.load_pem_public_key(pem.encode())


def test_a_root_may_be_present_without_its_key(server: KeyServer) -> None:
    server.make(f"sys/mounts/{server.prefix}/offline", {"type": "pki"})
    server.make(f"sys/mounts/{server.prefix}/outside", {"type": "pki"})
    root = server.post("outside/root/generate/internal", common_name="offline", ttl="1h")
    server.post("offline/issuers/import/cert", pem_bundle=root["certificate"])
    [issuer] = server.call("GET", f"{server.prefix}/offline/issuers?list=true")["data"]["keys"]
    server.post("offline/config/issuers", default=issuer)
    # Read by anybody, as a CA's certificate must be; cert/ca is refused without the key.
    told = server.call("GET", f"{server.prefix}/offline/issuer/default/json", token="")["data"]
    assert [pem.strip() for pem in told["ca_chain"]] == [root["certificate"].strip()]
    csr = csr_of(ec.generate_private_key(ec.SECP256R1()))
    refused(
        lambda: server.post("offline/root/sign-intermediate", csr=csr, common_name="x"), 400, 500
    )


def test_who_asks_too_often_is_told_so(server: KeyServer) -> None:
    name = key(server, "hmac", key_size=32)
    quota = f"sys/quotas/rate-limit/{server.prefix}"
    server.make(quota, {"path": f"{server.prefix}/transit/", "rate": 3, "interval": "1s"})
    try:
        with pytest.raises(RefusedError) as told:
            for _ in range(50):
                server.get(f"transit/keys/{name}")
        assert told.value.status == 429
    finally:
        server.call("DELETE", quota)
        server.clean.remove(("DELETE", quota))
    time.sleep(0.1)
    assert server.get(f"transit/keys/{name}")["type"] == "hmac"


def test_health_is_told_without_a_token(server: KeyServer) -> None:
    told = server.call("GET", "sys/health?standbyok=true", token="")
    assert (told["initialized"], told["sealed"]) == (True, False)
