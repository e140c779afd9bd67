"""MOSIP's own Python SDK, where it is installed, talks to our side of the wire."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from services.common.mosip_wire import (
    AUTH_ID,
    OTP_ID,
    OtpChannel,
    open_request,
    parse_auth_request,
    parse_block,
    parse_body,
    parse_otp_request,
    parse_request_signature,
    seal_kyc,
    thumbprint_of,
    unwrap_session_key,
    verify_request_signature,
)
from tests.unit.common.mosip_wire.conftest import Holder

sdk = pytest.importorskip("mosip_auth_sdk", reason="mosip-auth-sdk is not installed")
models = pytest.importorskip("mosip_auth_sdk.models")


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Captured(Exception):
    """Carries what the SDK would have posted."""

    def __init__(self, body: str, signature: str) -> None:
        super().__init__("captured")
        self.body = body.encode()
        self.signature = signature


@pytest.fixture(scope="module")
def authenticator(
    platform: Holder, partner: Holder, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    folder: Path = tmp_path_factory.mktemp("sdk")
    (folder / "ida.pem").write_bytes(platform.certificate.public_bytes(Encoding.PEM))
    bundle = pkcs12.serialize_key_and_certificates(
        b"partner", partner.rsa_key, partner.certificate, None, BestAvailableEncryption(b"pw")
    )
    (folder / "partner.p12").write_bytes(bundle)
    config = SimpleNamespace(
        mosip_auth_server=SimpleNamespace(
            ida_auth_url="https://idmesh.example", ida_auth_domain_uri="https://idmesh.example"
        ),
        mosip_auth=SimpleNamespace(
            timestamp_format="%Y-%m-%dT%H:%M:%S",
            authorization_header_constant="Authorization",
            ida_auth_version="1.0",
            ida_auth_request_demo_id=AUTH_ID,
            ida_auth_request_kyc_id="mosip.identity.kyc",
            ida_auth_request_otp_id=OTP_ID,
            ida_auth_env="Staging",
            partner_misp_lk="licence",
            partner_id="partner",
            partner_apikey="key",
        ),
        crypto_encrypt=SimpleNamespace(
            symmetric_key_size=256,
            symmetric_nonce_size=128,
            symmetric_gcm_tag_size=128,
            encrypt_cert_path=str(folder / "ida.pem"),
            decrypt_p12_file_path=str(folder / "partner.p12"),
            decrypt_p12_file_password="pw",
        ),
        crypto_signature=SimpleNamespace(
            algorithm="RS256",
            sign_p12_file_path=str(folder / "partner.p12"),
            sign_p12_file_password="pw",
        ),
    )
    made = sdk.MOSIPAuthenticator(config=config, logger=logging.getLogger("sdk"))

    def capture(*, path_params: str, data: str, additional_headers: dict[str, str]) -> None:
        raise Captured(data, additional_headers["Signature"])

    made.auth_rest_util.post_request = capture
    return made


def test_an_authentication_of_the_sdk_is_opened(
    authenticator: Any, platform: Holder, partner: Holder
) -> None:
    demographics = models.DemographicsModel(
        name=[models.IdentityInfo(language="eng", value="Jane")], dob="1990/01/01"
    )
    with pytest.raises(Captured) as posted:
        authenticator.auth(
            individual_id="5274963815",
            individual_id_type="UIN",
            demographic_data=demographics,
            consent=True,
        )
    jws = parse_request_signature(posted.value.signature)
    verify_request_signature(jws, posted.value.body, partner.certificate)
    request = parse_auth_request(parse_body(posted.value.body), AUTH_ID)
    assert request.thumbprint == thumbprint_of(platform.certificate)
    key = unwrap_session_key(request.session_key, platform.rsa_key)
    block = parse_block(open_request(request.request, request.request_hmac, key))
    assert block.factors == ("demo",)
    assert block.demographics["dob"] == "1990/01/01"


def test_an_otp_request_of_the_sdk_is_read(authenticator: Any, partner: Holder) -> None:
    with pytest.raises(Captured) as posted:
        authenticator.genotp(individual_id="5274963815", individual_id_type="UIN", phone=True)
    jws = parse_request_signature(posted.value.signature)
    verify_request_signature(jws, posted.value.body, partner.certificate)
    assert parse_otp_request(parse_body(posted.value.body)).channels == (OtpChannel.PHONE,)


def test_the_sdk_decrypts_our_identity(authenticator: Any, partner: Holder) -> None:
    sealed = seal_kyc({"name_eng": "Åsa"}, partner.certificate)
    response = {"response": {"sessionKey": sealed.session_key, "identity": sealed.identity}}
    assert authenticator.decrypt_response(response) == {"name_eng": "Åsa"}
