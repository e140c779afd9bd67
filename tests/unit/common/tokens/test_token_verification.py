from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from idmesh.access.v1 import access_service_pb2 as pb

from services.common.errors import Unauthenticated, Unavailable
from services.common.mosip_wire.jws import algorithm_for
from services.common.tokens import Issuer, TokenTrust, Trust, jwk, verify
from tests.fakes.clock import FakeClock
from tests.fakes.tokens import AUDIENCE, FORGERIES, ISSUER, TokenAccess, TokenMaker


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=algorithm_for,
)
def test_a_good_token_proves_its_operator(key: Any) -> None:
    maker = TokenMaker(key)
    proven = verify(maker.token("ada", "AUDITOR"), maker.trust(), now())
    assert (proven.operator_id, set(proven.roles)) == ("ada", {"AUDITOR"})
    assert proven.token_id == "an-id"


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_every_bad_token_is_refused_by_its_own_reason(forgery: str) -> None:
    maker = TokenMaker()
    make, reason = FORGERIES[forgery]
    trust = maker.trust(revoked_tokens={"revoked"}, least_generations={"leaver": 2})
    with pytest.raises(Unauthenticated) as refused:
        verify(make(maker), trust, now())
    assert refused.value.reason == reason
    assert "ada" not in str(refused.value)


def test_a_later_generation_of_the_same_operator_is_good() -> None:
    maker = TokenMaker()
    trust = maker.trust(least_generations={"ada": 2})
    assert verify(maker.token("ada", gen=2), trust, now()).operator_id == "ada"


def test_clocks_may_differ_by_ten_seconds() -> None:
    maker = TokenMaker()
    token = maker.token("ada")
    assert verify(token, maker.trust(), now() + timedelta(seconds=605))
    with pytest.raises(Unauthenticated):
        verify(token, maker.trust(), now() + timedelta(seconds=612))


def elsewhere(maker: TokenMaker, **other: Any) -> Trust:
    issuer = Issuer(
        name="ministry",
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=frozenset({algorithm_for(maker.key)}),
        keys={maker.kid: maker.key.public_key()},
        roles={"id-adjudicators": frozenset({"ADJUDICATOR"}), "id-all": frozenset({"AUDITOR"})},
        **other,
    )
    return Trust({ISSUER: issuer})


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({"realm_access": {"roles": ["id-adjudicators", "other"]}}, {"ADJUDICATOR"}),
        ({"realm_access": {"roles": ["id-adjudicators", "id-all", 7]}}, {"ADJUDICATOR", "AUDITOR"}),
        ({"realm_access": {"roles": "id-all"}}, {"AUDITOR"}),
        # Our own roles' names are nothing in a foreign token.
        ({"realm_access": {"roles": ["ADJUDICATOR"]}, "roles": ["AUDITOR"]}, set()),
        ({"realm_access": ["id-all"]}, set()),
        ({}, set()),
    ],
)
def test_roles_from_elsewhere_mean_what_the_configuration_says(
    claims: dict[str, Any], roles: set[str]
) -> None:
    maker = TokenMaker()
    trust = elsewhere(maker, roles_claim="realm_access.roles")
    token = maker.signed(maker.claims("ada") | claims, typ="JWT")
    proven = verify(token, trust, now())
    assert (proven.operator_id, set(proven.roles)) == ("ministry:ada", roles)


def test_a_key_set_keeps_only_signing_keys_that_are_understood() -> None:
    good = json.loads(TokenMaker().jwks())["keys"][0]
    weak = {"kty": "RSA", "kid": "weak", "n": "AQAB" * 40, "e": "AQAB"}
    off_curve = {**good, "kid": "off", "x": good["y"]}
    others = [{**good, "kid": "enc", "use": "enc"}, {"kty": "oct", "k": "AA", "kid": "o"}]
    kept = jwk.keys_of(json.dumps({"keys": [good, weak, off_curve, *others, 7, {}]}))
    assert set(kept) == {"the-key"}
    for document in ("[]", '{"keys": 1}', "no json"):
        with pytest.raises(ValueError):  # noqa: PT011
            jwk.keys_of(document)


def test_a_thumbprint_is_the_rfcs() -> None:
    # RFC 8037, appendix A.3.
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert jwk.thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_state_is_good_for_a_while_without_another_word() -> None:
    maker, clock = TokenMaker(), FakeClock(now())
    trust = TokenTrust(clock=clock, stale_s=300)
    with pytest.raises(Unavailable) as stale:
        trust.verify(maker.token("ada"))
    trust.set(maker.trust())
    clock.advance(299)
    assert trust.verify(maker.token("ada")).operator_id == "ada"
    clock.advance(2)
    with pytest.raises(Unavailable) as stale:
        trust.verify(maker.token("ada"))
    assert stale.value.reason == "TOKEN_TRUST_STALE"


async def one_word(maker: TokenMaker) -> AsyncIterator[pb.WatchTokensResponse]:
    access = TokenAccess(maker)  # type: ignore[abstract]
    yield await anext(aiter(access.WatchTokens(pb.WatchTokensRequest(), None)))  # type: ignore[arg-type]


async def test_access_is_followed_again_when_it_breaks_off() -> None:
    maker = TokenMaker()
    calls = 0

    class Source:
        def WatchTokens(self, request: pb.WatchTokensRequest) -> AsyncIterator[Any]:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise Unavailable("AWAY", "Away.")
            return one_word(maker)

    trust = TokenTrust(Source())
    task = asyncio.create_task(trust.run())
    try:
        async with asyncio.timeout(5):
            while calls < 3:
                await asyncio.sleep(0.01)
        assert trust.verify(maker.token("ada", "AUDITOR")).roles == {"AUDITOR"}
    finally:
        task.cancel()
