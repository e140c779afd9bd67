"""How the edge judges operators' tokens. The services judge them again, by the same keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

TOKEN_ISSUER = "https://idmesh.local"  # noqa: S105 - a name
TOKEN_AUDIENCE = "idmesh"  # noqa: S105 - a name
JWKS_PATH = "/.well-known/jwks.json"
OWN = "operator"
# A signer is published for longer than this before it signs.
JWKS_CACHE_S = 30

# What the filter says, as an expression on its words; the reason, as services name it; a message.
# The first that holds counts.
TOKEN_ERRORS: Sequence[tuple[str, str, str]] = tuple(
    (f"response.code_details.contains('{words}')", reason, f"The token is refused. {message}")
    for words, reason, message in (
        ("Jwt_is_missing", "TOKEN_MISSING", "There is none."),
        ("Jwt_is_expired", "TOKEN_EXPIRED", "It has expired."),
        ("Jwt_not_yet_valid", "TOKEN_NOT_YET_VALID", "It is from the future."),
        ("Audiences_in_Jwt", "TOKEN_AUDIENCE_REFUSED", "It is meant for somebody else."),
        ("Jwt_issuer", "TOKEN_ISSUER_UNKNOWN", "Its issuer is not trusted."),
        ("Jwt_verification_fails", "TOKEN_SIGNATURE_INVALID", "Its signature is wrong."),
        ("have_key_to_match_kid", "TOKEN_KEY_UNKNOWN", "No key of its issuer has this name."),
        ("[alg]", "TOKEN_ALGORITHM_REFUSED", "Its algorithm is not taken."),
        ("Jwks", "TOKEN_KEYS_AWAY", "The keys that verify it are away; try again."),
        ("Jwt", "TOKEN_MALFORMED", "It is no signed JWT."),
    )
)


def operator_tokens(
    paths: Sequence[str], issuers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The filter's settings: which RPCs need a token, and whose is one.

    Args:
        paths: of the RPCs.
        issuers: those elsewhere, by name.
    """
    providers = {OWN: _provider(TOKEN_ISSUER, TOKEN_AUDIENCE, JWKS_PATH)}
    for name, table in issuers.items():
        path = f"/v1/access/issuers/{name}/jwks.json"
        providers[f"issuer-{name}"] = _provider(table["issuer"], table["audience"], path)
    any_of = [{"provider_name": name} for name in providers]
    requires: Json = {"requires_any": {"requirements": any_of}} if len(any_of) > 1 else any_of[0]
    return {
        "providers": providers,
        "requirement_map": {"a-token": requires},
        "rules": [{"match": {"path": path}, "requirement_name": "a-token"} for path in paths],
    }


def _provider(issuer: str, audience: str, jwks_path: str) -> Json:
    return {
        "issuer": issuer,
        "audiences": [audience],
        "require_expiration": True,
        "clock_skew_seconds": 10,
        # The service is to see the token itself, and believes no header about it.
        "forward": True,
        "remote_jwks": {
            "http_uri": {
                "uri": f"https://localhost{jwks_path}",
                "cluster": "edge_itself",
                "timeout": "3s",
            },
            "cache_duration": f"{JWKS_CACHE_S}s",
            # Fetched beside the requests: while access is away the last keys go on.
            "async_fetch": {"fast_listener": True, "failed_refetch_duration": "0.5s"},
        },
    }
