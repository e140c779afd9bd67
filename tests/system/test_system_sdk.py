"""A relying party's existing client, MOSIP's Python SDK as published, works unchanged."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.local.sandbox.partner import new_transaction_id
from services.local.toml import dumps
from tests.fakes.mesh import Enrolled, World
from tests.system.sdk import install

PASSWORD = "a partner's own password"
DRIVER = Path(install.__file__).with_name("drive.py")


@dataclass(frozen=True)
class Sdk:
    """The SDK in its own interpreter."""

    process: subprocess.Popen[str]

    def call(self, call: str, **arguments: Any) -> dict[str, Any]:
        """Make one call of the SDK's and return what it got."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"call": call, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the SDK ended; see what it wrote"
        answer: dict[str, Any] = json.loads(line)
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def configuration(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a partner gets when it is onboarded, where the SDK's own configuration wants it."""
    credentials = await world.onboard()
    await world.bank(credentials)
    folder = tmp_path_factory.mktemp("sdk")
    (folder / "partner.p12").write_bytes(credentials.keys.pkcs12("partner", PASSWORD))
    url = f"{world.mesh.urls['api']}/v1/encryption-certificates/PARTNER"
    context = world.tls_context()
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as response:
        (folder / "ida.pem").write_bytes(await response.read())
    key_file, api = str(folder / "partner.p12"), world.mesh.urls["api"]
    document = {
        "mosip_auth": {
            "timestamp_format": "%Y-%m-%dT%H:%M:%S",
            "ida_auth_version": "1.0",
            "ida_auth_request_demo_id": "mosip.identity.auth",
            "ida_auth_request_kyc_id": "mosip.identity.kyc",
            "ida_auth_request_otp_id": "mosip.identity.otp",
            "ida_auth_env": "Staging",
            "authorization_header_constant": "Authorization",
            "partner_apikey": credentials.api_key,
            "partner_misp_lk": credentials.licence_key,
            "partner_id": credentials.partner_id,
        },
        "mosip_auth_server": {
            "ida_auth_domain_uri": api,
            "ida_auth_url": f"{api}/idauthentication/v1",
        },
        "crypto_encrypt": {
            "symmetric_key_size": 256,
            "symmetric_nonce_size": 128,
            "symmetric_gcm_tag_size": 128,
            "encrypt_cert_path": str(folder / "ida.pem"),
            "decrypt_p12_file_path": key_file,
            "decrypt_p12_file_password": PASSWORD,
        },
        "crypto_signature": {
            "algorithm": "RS256",
            "sign_p12_file_path": key_file,
            "sign_p12_file_password": PASSWORD,
        },
        "logging": {
            "log_file_path": str(folder / "authenticator.log"),
            "log_format": "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
            "loglevel": "INFO",
        },
    }
    path = folder / "authenticator-config.toml"
    path.write_text(dumps(document))
    return path


@pytest.fixture(scope="module")
def sdk(world: World, configuration: Path) -> Iterator[Sdk]:
    try:
        python = install.ensure()
    except install.SdkMissingError as missing:
        pytest.skip(str(missing))
    ca_file = str(world.mesh.ca_file)
    with (configuration.parent / "sdk.log").open("w") as log:
        process = subprocess.Popen(
            [str(python), str(DRIVER), str(configuration)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=configuration.parent,
            env={
                "PATH": os.environ["PATH"],
                "REQUESTS_CA_BUNDLE": ca_file,
                "SSL_CERT_FILE": ca_file,
                "NO_PROXY": "localhost",
            },
        )
        yield Sdk(process)
        process.communicate(timeout=10)


async def test_the_sdk_is_told_yes_for_true_demographics(sdk: Sdk, alice: Enrolled) -> None:
    person = alice.person
    answer = sdk.call(
        "auth",
        individual_id=alice.vid,
        individual_id_type="VID",
        consent=True,
        demographic_data={
            "dob": alice.date_of_birth,
            "name": [{"language": "eng", "value": person.full_name[0]}],
            "phone_number": person.phone,
            "email_id": person.email,
        },
    )
    assert answer["status"] == 200
    assert answer["body"]["errors"] in (None, [])
    assert answer["body"]["response"]["authStatus"] is True
    assert len(answer["body"]["response"]["authToken"]) == 36
    assert ".." in answer["signature"]


async def test_the_sdk_is_told_no_for_false_demographics(sdk: Sdk, alice: Enrolled) -> None:
    answer = sdk.call(
        "auth",
        individual_id=alice.vid,
        individual_id_type="VID",
        consent=True,
        demographic_data={"dob": "1900/01/01"},
    )
    assert answer["status"] == 200
    assert answer["body"]["response"]["authStatus"] is False
    assert [error["errorCode"] for error in answer["body"]["errors"]] == ["IDA-DEA-001"]


async def test_the_sdk_has_a_one_time_password_sent_and_authenticates_with_it(
    sdk: Sdk, world: World, alice: Enrolled
) -> None:
    transaction_id = new_transaction_id()
    named = {"individual_id": alice.vid, "individual_id_type": "VID", "txn_id": transaction_id}
    newest = await world.mailbox.newest()
    sent = sdk.call("genotp", **named, email=True)
    assert sent["body"]["errors"] in (None, [])
    assert "@" in sent["body"]["response"]["maskedEmail"]
    assert alice.person.email not in json.dumps(sent["body"])
    otp = await world.mailbox.find(alice.person.email, "OTP", after=newest)
    world.secrets.plant_word("one-time password", otp)
    answer = sdk.call("auth", **named, consent=True, otp_value=otp)
    assert answer["body"]["errors"] in (None, [])
    assert answer["body"]["response"]["authStatus"] is True


async def test_the_sdk_decrypts_the_attributes_of_an_ekyc(sdk: Sdk, alice: Enrolled) -> None:
    answer = sdk.call(
        "kyc",
        individual_id=alice.vid,
        individual_id_type="VID",
        consent=True,
        demographic_data={"dob": alice.date_of_birth},
    )
    assert answer["body"]["errors"] in (None, [])
    assert answer["body"]["response"]["kycStatus"] is True
    assert alice.person.full_name[0] in answer["identity"].values()
    assert answer["identity"]["phone"] == alice.person.phone


async def test_the_sdk_is_refused_without_consent_with_mosips_code(
    sdk: Sdk, alice: Enrolled
) -> None:
    answer = sdk.call(
        "auth",
        individual_id=alice.vid,
        individual_id_type="VID",
        consent=False,
        demographic_data={"dob": alice.date_of_birth},
    )
    assert [error["errorCode"] for error in answer["body"]["errors"]] == ["IDA-MLC-012"]
