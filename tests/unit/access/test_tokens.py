from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.access.domain.operator import Operator, Secret
from services.access.domain.token import jwk_set
from services.access.usecases.issue_token import IssueToken, Rules
from services.access.usecases.put_operator import PutOperator
from services.common.errors import InvalidArgument, ResourceExhausted, Unauthenticated
from tests.fakes.access import FakeOperators
from tests.fakes.clock import FakeClock

RULES = Rules("https://issuer", "idmesh", 900, wrong_secrets_allowed=3, locked_for_s=60.0)


class FakeHashes:
    async def newest(self, secret: str) -> Secret:
        return await self.at(secret, 2)

    async def at(self, secret: str, version: int) -> Secret:
        return Secret(version, hashlib.sha256(bytes([version]) + secret.encode()).digest())


class LocalSigner:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    async def kid(self) -> str:
        return "token-signer:1"

    async def sign(self, signed: bytes, kid: str) -> bytes:
        der = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(der)
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    async def public_keys(self) -> Mapping[str, bytes]:
        public = self._key.public_key()
        return {
            "token-signer:1": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        }


@pytest.fixture
def operators() -> FakeOperators:
    return FakeOperators()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner()


@pytest.fixture
def issue(operators: FakeOperators, clock: FakeClock, signer: LocalSigner) -> IssueToken:
    return IssueToken(operators, FakeHashes(), signer, clock, RULES)


async def put(operators: FakeOperators, *, active: bool = True) -> str:
    return await PutOperator(operators, FakeHashes())("ada", ["AUDITOR"], active=active)


def decode(part: str) -> dict[str, object]:
    padded = part + "=" * (-len(part) % 4)
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(padded))
    return decoded


async def test_a_right_secret_gets_a_token_that_the_published_key_verifies(
    operators: FakeOperators, issue: IssueToken, signer: LocalSigner, clock: FakeClock
) -> None:
    token = await issue("ada", await put(operators))
    header, payload, signature = token.split(".")
    claims = decode(payload)
    assert (claims["sub"], claims["roles"], claims["aud"]) == ("ada", "AUDITOR", "idmesh")
    assert claims["exp"] == int(clock.now().timestamp()) + 900
    [jwk] = json.loads(jwk_set(await signer.public_keys()))["keys"]
    assert decode(header) == {"alg": "ES256", "kid": jwk["kid"], "typ": "at+jwt"}
    x, y = (int.from_bytes(base64.urlsafe_b64decode(jwk[axis] + "="), "big") for axis in "xy")
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    raw = base64.urlsafe_b64decode(signature + "==")
    halves = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key.verify(
        utils.encode_dss_signature(*halves),
        f"{header}.{payload}".encode(),
        ec.ECDSA(hashes.SHA256()),
    )


async def test_unknown_wrong_and_inactive_are_refused_alike(
    operators: FakeOperators, issue: IssueToken
) -> None:
    secret = await put(operators, active=False)
    refusals = []
    for client, offered in (("bob", secret), ("ada", "wrong"), ("ada", secret)):
        with pytest.raises(Unauthenticated) as refused:
            await issue(client, offered)
        refusals.append((refused.value.reason, refused.value.message))
    assert len(set(refusals)) == 1
    assert operators.refusals == ["SECRET_WRONG", "OPERATOR_INACTIVE"]


async def test_too_many_wrong_secrets_lock_for_a_while(
    operators: FakeOperators, issue: IssueToken, clock: FakeClock
) -> None:
    secret = await put(operators)
    for _ in range(RULES.wrong_secrets_allowed + 1):
        with pytest.raises(Unauthenticated):
            await issue("ada", "wrong")
    with pytest.raises(ResourceExhausted) as refused:
        await issue("ada", secret)
    assert refused.value.retry_after_s == pytest.approx(60.0)
    clock.advance(60.1)
    assert await issue("ada", secret)


async def test_an_unknown_role_is_refused_and_nobody_is_made(operators: FakeOperators) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await PutOperator(operators, FakeHashes())("ada", ["KING"], active=True)
    assert refused.value.reason == "ROLE_UNKNOWN"
    assert await operators.get("ada") is None


async def test_a_new_secret_replaces_the_old_one(
    operators: FakeOperators, issue: IssueToken
) -> None:
    old = await put(operators)
    new = await put(operators)
    with pytest.raises(Unauthenticated):
        await issue("ada", old)
    assert await issue("ada", new)


def test_a_secret_is_compared_under_the_version_it_was_kept_with() -> None:
    operator = Operator("ada", (), True, Secret(1, b"\x01" * 32), locked_until=datetime.max)
    assert operator.knows(b"\x01" * 32)
    assert not operator.knows(b"\x02" * 32)
