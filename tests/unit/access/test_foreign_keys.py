from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from services.access.clients.foreign_keys import FetchedKeys, rewritten
from tests.fakes.foreign_issuer import foreign_issuer
from tests.fakes.tokens import TokenMaker
from tests.unit.access.parts import an_issuer


def test_of_a_key_set_only_what_is_understood_is_passed_on() -> None:
    [own] = json.loads(TokenMaker().jwks())["keys"]
    [other] = json.loads(TokenMaker(rsa.generate_private_key(65537, 2048)).jwks())["keys"]
    other |= {"kid": "rsa", "x5c": ["not ours to vouch for"], "alg": "RS512"}
    document = json.dumps({"keys": [own, other]}).encode()
    kept = json.loads(rewritten(document, ["ES256", "RS256"]))["keys"]
    assert [(key["kid"], key["alg"]) for key in kept] == [("rsa", "RS256"), ("the-key", "ES256")]
    assert "x5c" not in kept[0]
    [only] = json.loads(rewritten(document, ["RS256", "PS256"]))["keys"]
    assert "alg" not in only
    for bad in (b"", b"[]", b'{"keys":[]}', b"<html>"):
        with pytest.raises(ValueError):  # noqa: PT011
            rewritten(bad, ["ES256"])
    with pytest.raises(ValueError):  # noqa: PT011
        rewritten(document, ["EdDSA"])


async def test_keys_are_fetched_over_http_and_from_a_file_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(TokenMaker().jwks())
    with foreign_issuer() as issuer:
        config = {
            "web": an_issuer(jwks_uri=issuer.jwks_uri, refresh_s=0.02),
            "file": an_issuer(jwks_uri="", jwks_file=str(file), algorithms=("ES256",)),
            "away": an_issuer(jwks_uri="http://127.0.0.1:1/jwks"),
        }
        keys = FetchedKeys(config)
        task = asyncio.create_task(keys.run())
        try:
            async with asyncio.timeout(5):
                while set(keys.jwks()) != {"web", "file"} or issuer.fetched < 3:
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
    assert json.loads(keys.jwks()["web"])["keys"][0]["kid"] == "the-key"
