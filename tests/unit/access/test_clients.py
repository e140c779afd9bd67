from __future__ import annotations

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.access.domain.operator import Operator
from services.common.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unauthenticated,
)
from services.common.mosip_wire import base64url
from services.common.mosip_wire.jws import SigningKey, algorithm_for, sign_raw
from tests.fakes.tokens import parts
from tests.unit.access.parts import HOME, Access, claims_of, header_of

EDGE = "https://edge/oauth2/token"


@pytest.fixture
async def access() -> Access:
    made = Access()
    await made.trust.tick()
    await made.trust.tick()
    return made


async def test_a_right_secret_gets_a_token_that_every_service_verifies(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    token = await access.token("ada", secret)
    assert header_of(token)["typ"] == "at+jwt"
    claims = claims_of(token)
    assert (claims["sub"], claims["roles"], claims["scope"]) == ("ada", ["AUDITOR"], "audit:read")
    assert claims["exp"] == int(access.clock.now().timestamp()) + 900
    proven = access.verifier.verify(token)
    assert (proven.operator_id, set(proven.roles)) == ("ada", {"AUDITOR"})


async def test_unknown_wrong_and_inactive_are_refused_alike_outside(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=False)
    refusals = []
    for client, offered in (("bob", secret), ("ada", "wrong"), ("ada", secret)):
        with pytest.raises(Unauthenticated) as refused:
            await access.token(client, offered)
        refusals.append((refused.value.reason, refused.value.message))
    assert len(set(refusals)) == 1
    assert access.reasons() == ["CLIENT_UNKNOWN", "SECRET_WRONG", "OPERATOR_INACTIVE"]
    # What was typed where a name belongs may be a secret.
    assert [name for _, name, reason in access.memory.audited if reason] == [
        *("unknown", "ada", "ada")
    ]


async def test_a_person_gets_no_token_as_a_client(access: Access) -> None:
    await access.manage.create("eve", [])
    with pytest.raises(Unauthenticated):
        await access.token("eve", "anything")


@pytest.mark.parametrize("name", ["ada", "nobody"])
async def test_waits_double_for_known_and_unknown_names_alike(access: Access, name: str) -> None:
    secret = await access.put_client("ada", [], active=True)
    waits = []
    for _ in range(access.memory.rules.free + 3):
        try:
            await access.authenticate.by_secret(name, "wrong", HOME)
        except ResourceExhausted as locked:
            waits.append((locked.reason, locked.retry_after_s))
            access.clock.advance(locked.retry_after_s or 0.0)
            with pytest.raises(Unauthenticated):
                await access.authenticate.by_secret(name, "wrong", HOME)
        except Unauthenticated:
            pass
    assert waits == [("CLIENT_LOCKED", 1.0), ("CLIENT_LOCKED", 2.0)]
    with pytest.raises(ResourceExhausted):
        await access.token("ada" if name == "ada" else name, secret)
    access.clock.advance(900)
    if name == "ada":
        assert await access.token("ada", secret)


async def test_a_stranger_locks_nobody_out_elsewhere(access: Access) -> None:
    secret = await access.put_client("ada", [], active=True)
    assert await access.token("ada", secret)
    for attempt in range(access.memory.rules.free_anywhere + 20):
        with pytest.raises((Unauthenticated, ResourceExhausted)):
            await access.authenticate.by_secret("ada", "wrong", f"198.51.100.{attempt}")
    # The name is locked for addresses that it never came from, and not for its own.
    with pytest.raises(ResourceExhausted):
        await access.authenticate.by_secret("ada", secret, "203.0.113.9")
    assert await access.token("ada", secret)


async def test_a_new_secret_replaces_the_old_and_ends_its_tokens(access: Access) -> None:
    old = await access.put_client("ada", ["AUDITOR"], active=True)
    token = await access.token("ada", old)
    new = await access.put_client("ada", ["AUDITOR"], active=True)
    await access.trust.tick()
    with pytest.raises(Unauthenticated) as refused:
        access.verifier.verify(token)
    assert refused.value.reason == "OPERATOR_REVOKED"
    with pytest.raises(Unauthenticated):
        await access.token("ada", old)
    assert access.verifier.verify(await access.token("ada", new)).operator_id == "ada"


async def test_a_secret_moves_to_the_newest_key_when_it_is_used(access: Access) -> None:
    secret = await access.put_client("ada", [], active=True)
    access.stores.hashes.latest = 3  # type: ignore[attr-defined]
    assert await access.token("ada", secret)
    kept = access.memory.operators["ada"].secret
    assert kept is not None
    assert kept.version == 3
    assert await access.token("ada", secret)


async def test_a_clients_name_is_not_a_persons_and_roles_are_known(access: Access) -> None:
    await access.manage.create("eve", ["ADJUDICATOR"])
    with pytest.raises(AlreadyExists):
        await access.put_client("eve", [], active=True)
    with pytest.raises(AlreadyExists):
        await access.manage.create("eve", [])
    with pytest.raises(InvalidArgument) as refused:
        await access.put_client("king", ["KING"], active=True)
    assert refused.value.reason == "ROLE_UNKNOWN"
    assert "king" not in access.memory.operators


async def test_a_scope_narrows_roles_and_none_widens_them(access: Access) -> None:
    secret = await access.put_client("ada", ["PMS_ADMIN", "AUDITOR"], active=True)
    whole = claims_of(await access.token("ada", secret))
    assert {"PARTNER_ADMIN", "AUDITOR", "PMS_ADMIN"} <= set(whole["roles"])
    assert whole["scope"] == "audit:read partner:manage"
    narrow = claims_of(await access.token("ada", secret, "audit:read"))
    assert (narrow["roles"], narrow["scope"]) == (["AUDITOR"], "audit:read")
    with pytest.raises(InvalidArgument) as refused:
        await access.token("ada", secret, "audit:read identity:manage")
    assert refused.value.reason == "SCOPE_REFUSED"


# Assertions (RFC 7523).


def assertion(key: SigningKey, client: str = "ada", *, header: Any = None, **other: Any) -> str:
    now = int(Access().clock.now().timestamp())
    claims = {"iss": client, "sub": client, "aud": EDGE, "jti": "once", "exp": now + 60}
    text = parts({"alg": algorithm_for(key)} | (header or {}), claims | other)
    return f"{text}.{base64url.encode(sign_raw(text.encode(), key, algorithm_for(key)))}"


def pem(key: SigningKey) -> str:
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, form).decode()


KEYS: list[SigningKey] = [
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
]


@pytest.mark.parametrize("key", KEYS, ids=algorithm_for)
@pytest.mark.parametrize("named", [True, False])
async def test_a_client_proves_itself_by_its_key(
    access: Access, key: SigningKey, *, named: bool
) -> None:
    await access.put_client("ada", ["AUDITOR"], active=True)
    key_id = await access.add_key("ada", pem(key))
    offered = assertion(key, header={"kid": key_id} if named else None)
    client = await access.authenticate.by_assertion(offered, "ada", HOME)
    assert client.operator_id == "ada"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"aud": "https://evil/token"}, "ASSERTION_AUDIENCE_REFUSED"),
        ({"aud": None}, "ASSERTION_AUDIENCE_REFUSED"),
        ({"exp": 1}, "ASSERTION_EXPIRED"),
        ({"exp": time.time() + 10**9}, "ASSERTION_TOO_LONG_LIVED"),
        ({"exp": None}, "ASSERTION_MALFORMED"),
        ({"exp": True}, "ASSERTION_MALFORMED"),
        ({"exp": 1e300}, "ASSERTION_MALFORMED"),
        ({"jti": None}, "ASSERTION_MALFORMED"),
        ({"jti": "x" * 129}, "ASSERTION_MALFORMED"),
        ({"iss": "bob"}, "ASSERTION_MALFORMED"),
        ({"sub": "bob", "iss": "bob"}, "ASSERTION_OF_ANOTHER"),
    ],
)
async def test_a_bad_assertion_is_refused_and_only_the_log_says_why(
    access: Access, other: dict[str, Any], reason: str
) -> None:
    await access.put_client("ada", [], active=True)
    await access.add_key("ada", pem(KEYS[1]))
    with pytest.raises(Unauthenticated) as refused:
        await access.authenticate.by_assertion(assertion(KEYS[1], **other), "ada", HOME)
    assert refused.value.reason == "CLIENT_REFUSED"
    assert access.reasons() == [reason]


async def test_an_assertion_is_good_once_and_by_its_own_clients_key(access: Access) -> None:
    for name, key in (("ada", KEYS[1]), ("bob", KEYS[2])):
        await access.put_client(name, [], active=True)
        await access.add_key(name, pem(key))
    good = assertion(KEYS[1])
    assert await access.authenticate.by_assertion(good, None, HOME)
    unsigned = parts({"alg": "none"}, claims_of(good)) + "."
    wrong_kid = assertion(KEYS[1], header={"kid": "other"}, jti="2")
    for offered in (good, assertion(KEYS[2], jti="3"), unsigned, wrong_kid, "nonsense"):
        with pytest.raises(Unauthenticated):
            await access.authenticate.by_assertion(offered, None, HOME)
    assert access.reasons() == [
        "ASSERTION_REPLAYED",
        "ASSERTION_SIGNATURE_INVALID",
        "ASSERTION_ALGORITHM_REFUSED",
        "ASSERTION_SIGNATURE_INVALID",
        "ASSERTION_MALFORMED",
    ]


async def test_only_public_keys_that_are_strong_are_taken(access: Access) -> None:
    await access.put_client("ada", [], active=True)
    weak = rsa.generate_private_key(65537, 1024)
    other_curve = ec.generate_private_key(ec.SECP384R1())
    private = json.dumps({"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"})
    form = PublicFormat.SubjectPublicKeyInfo
    for bad in (weak, other_curve):
        text = bad.public_key().public_bytes(Encoding.PEM, form).decode()
        with pytest.raises(InvalidArgument) as refused:
            await access.add_key("ada", text)
        assert refused.value.reason == "KEY_REFUSED"
    for bad_text in (private, "{}", "[]", "no key", "-----BEGIN PUBLIC KEY-----"):
        with pytest.raises(InvalidArgument):
            await access.add_key("ada", bad_text)
    with pytest.raises(NotFound):
        await access.add_key("nobody", pem(KEYS[0]))


async def test_a_client_that_asks_is_told_what_a_token_says(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    token = await access.token("ada", secret)
    told = access.inspect.introspect(token)
    assert (told["active"], told["sub"], told["scope"]) == (True, "ada", "audit:read")
    assert access.inspect.introspect("nonsense") == {"active": False}
    access.clock.advance(911)
    await access.trust.tick()
    assert access.inspect.introspect(token) == {"active": False}


async def test_a_token_is_revoked_by_its_own_client_only(access: Access) -> None:
    secret = await access.put_client("ada", ["AUDITOR"], active=True)
    token, other = await access.token("ada", secret), await access.token("ada", secret)
    for asks in (None, Operator("bob", (), True)):
        with pytest.raises(Unauthenticated):
            await access.inspect.revoke(token, asks)
    await access.inspect.revoke(token, access.memory.operators["ada"])
    await access.trust.tick()
    with pytest.raises(Unauthenticated) as refused:
        access.verifier.verify(token)
    assert refused.value.reason == "TOKEN_REVOKED"
    assert access.verifier.verify(other)
    await access.inspect.revoke("nonsense", None)
