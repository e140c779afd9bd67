"""A header that was read before is not read again, and is refused or taken all the same."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from services.common.mosip_wire import base64url, jws
from services.common.mosip_wire.jws import JwsError, parse_detached, sign_detached, verify

KEY = ed25519.Ed25519PrivateKey.generate()


def a_header(**members: object) -> str:
    return base64url.encode(json.dumps({"alg": "EdDSA", **members}).encode())


def test_every_signature_under_a_known_header_is_verified_by_itself() -> None:
    texts = [sign_detached(body, KEY, []) for body in (b"one", b"two")]
    first, second = map(parse_detached, texts)
    assert first.protected == second.protected
    verify(first, KEY.public_key(), b"one")
    verify(second, KEY.public_key(), b"two")
    with pytest.raises(JwsError):
        verify(second, KEY.public_key(), b"one")


def test_what_a_caller_does_to_a_header_is_not_seen_by_the_next() -> None:
    text = f"{a_header(kid='a')}..AA"
    parse_detached(text).header["kid"] = "b"
    assert parse_detached(text).header["kid"] == "a"


@pytest.mark.parametrize("members", [{"crit": []}, {"b64": False}, {"alg": "none"}, {"x5c": "A"}])
def test_a_refused_header_is_refused_each_time(members: dict[str, object]) -> None:
    for _ in range(2):
        with pytest.raises(JwsError):
            parse_detached(f"{a_header(**members)}..AA")


def test_long_headers_are_read_and_not_remembered() -> None:
    before = jws._header.cache_info().currsize
    long = a_header(kid="a" * 20_000)
    assert parse_detached(f"{long}..AA").header["kid"] == "a" * 20_000
    assert jws._header.cache_info().currsize == before
