"""OAuth's forms and headers to what the use cases take, and their outcomes to the wire."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from google.api import httpbody_pb2
from idmesh.access.v1 import access_service_pb2 as pb

from services.access.domain import roles as roles_
from services.access.domain.issuers import IssuerConfig
from services.access.domain.operator import Credentials, Operator
from services.access.domain.roles import SCOPES
from services.access.domain.token import IssuedToken
from services.access.domain.trust_state import TrustState
from services.common.errors import (
    InvalidArgument,
    PlatformError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

FORM = "application/x-www-form-urlencoded"
MOST_FORM_BYTES = 32 * 1024
# RFC 6749, 5.2; what has no name there is "invalid_request".
_NAMES: Mapping[str, str] = {
    "SCOPE_REFUSED": "invalid_scope",
    "GRANT_TYPE_UNKNOWN": "unsupported_grant_type",
    "REFRESH_REFUSED": "invalid_grant",
    "CLIENT_REFUSED": "invalid_client",
}


@dataclass(frozen=True)
class ClientProof:
    """By what a request says which client it is; client_id None: it does not."""

    client_id: str | None = None
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)

    @property
    def offered(self) -> bool:
        """Whether there is anything to judge."""
        return self.secret is not None or self.assertion is not None

    @property
    def method(self) -> str:
        """The method's name for the audit log."""
        return "private_key_jwt" if self.assertion is not None else "client_secret"


def form_from(body: httpbody_pb2.HttpBody) -> dict[str, str]:
    """Return a form's parameters; empty ones count as left out (RFC 6749, 3.2).

    Raises:
        InvalidArgument: FORM_MALFORMED, it is no form, too large, or has a parameter twice.
    """
    kind = body.content_type.partition(";")[0].strip().lower()
    if kind != FORM or len(body.data) > MOST_FORM_BYTES:
        raise InvalidArgument("FORM_MALFORMED", f"The body must be {FORM}.")
    try:
        pairs = parse_qsl(
            body.data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32
        )
    except ValueError:
        raise InvalidArgument("FORM_MALFORMED", "The body is no form.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidArgument("FORM_MALFORMED", "A parameter comes twice.")
    return {name: value for name, value in form.items() if value}


def proof_from(form: Mapping[str, str], authorization: str | None, kind: str) -> ClientProof:
    """Return by what a request says which client it is: one way only (RFC 6749, 2.3).

    Args:
        kind: the client_assertion_type that is known.

    Raises:
        InvalidArgument: CLIENT_PROOF_MALFORMED.
    """
    basic = _basic(authorization)
    assertion, secret = form.get("client_assertion"), form.get("client_secret")
    if sum(each is not None for each in (basic, assertion, secret)) > 1:
        raise InvalidArgument("CLIENT_PROOF_MALFORMED", "Prove the client in one way.")
    if assertion is not None:
        if form.get("client_assertion_type") != kind:
            raise InvalidArgument("CLIENT_PROOF_MALFORMED", "The assertion's type is not known.")
        return ClientProof(form.get("client_id"), None, assertion)
    if basic is not None:
        if form.get("client_id", basic[0]) != basic[0]:
            raise InvalidArgument("CLIENT_PROOF_MALFORMED", "Two clients are named.")
        return ClientProof(basic[0], basic[1])
    return ClientProof(form.get("client_id"), secret)


def _basic(authorization: str | None) -> tuple[str, str] | None:
    kind, _, value = (authorization or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise InvalidArgument("CLIENT_PROOF_MALFORMED", "The header is malformed.") from None
    name, colon, secret = decoded.partition(":")
    if not colon:
        raise InvalidArgument("CLIENT_PROOF_MALFORMED", "The header is malformed.")
    # Each was encoded as in a form before (RFC 6749, 2.3.1).
    return unquote_plus(name), unquote_plus(secret)


def json_body(document: Mapping[str, object]) -> httpbody_pb2.HttpBody:
    """Return a JSON answer."""
    data = json.dumps(document, separators=(",", ":")).encode()
    return httpbody_pb2.HttpBody(content_type="application/json", data=data)


def token_document(issued: IssuedToken) -> dict[str, object]:
    """Return a token as OAuth tells it (RFC 6749, 5.1)."""
    document: dict[str, object] = {
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in_s,
        "scope": issued.scope,
    }
    if issued.refresh_token:
        document["refresh_token"] = issued.refresh_token
    return document


def error_from(error: PlatformError) -> tuple[int, dict[str, object], dict[str, str]]:
    """Return an error as OAuth tells it: HTTP status, document, headers (RFC 6749, 5.2)."""
    document: dict[str, object] = {
        "error": _NAMES.get(error.reason, "invalid_request"),
        "error_description": error.message,
    }
    headers = {}
    if error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    match error:
        case Unauthenticated() if error.reason == "REFRESH_REFUSED":
            return 400, document, headers
        case Unauthenticated():
            document["error"] = "invalid_client"
            return 401, document, headers | {"www-authenticate": 'Basic realm="idmesh"'}
        case ResourceExhausted():
            return 429, document | {"error": "temporarily_unavailable"}, headers
        case Unavailable():
            return 503, document | {"error": "temporarily_unavailable"}, headers
        case InvalidArgument():
            return 400, document, headers
    return 500, {"error": "server_error"}, headers


def metadata_document(issuer: str, public_url: str) -> dict[str, object]:
    """Return what OAuth clients may know of this server (RFC 8414)."""
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    algorithms = ["RS256", "PS256", "ES256", "EdDSA"]
    document: dict[str, object] = {
        "issuer": issuer,
        "jwks_uri": f"{public_url}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": sorted(SCOPES),
    }
    for name in ("token", "revocation", "introspection"):
        path = {"token": "token", "revocation": "revoke", "introspection": "introspect"}[name]
        document[f"{name}_endpoint"] = f"{public_url}/oauth2/{path}"
        document[f"{name}_endpoint_auth_methods_supported"] = methods
        document[f"{name}_endpoint_auth_signing_alg_values_supported"] = algorithms
    return document


def info_from(
    operator: Operator, credentials: Credentials | None, *, locked: bool = False
) -> pb.OperatorInfo:
    """Return an operator as administrators see it."""
    return pb.OperatorInfo(
        operator_id=operator.operator_id,
        person=operator.person,
        active=operator.active,
        roles=operator.roles,
        has_second_factor=credentials is not None and credentials.has_second_factor,
        must_change_password=credentials is not None and credentials.change_by is not None,
        locked=locked,
    )


def word_from(
    state: TrustState, issuer: str, audience: str, foreign: Mapping[str, IssuerConfig]
) -> pb.WatchTokensResponse:
    """Return what verifiers are told."""
    own = pb.TokenIssuer(
        issuer=issuer,
        audience=audience,
        algorithms=["ES256"],
        jwks=state.jwks,
        roles_claim="roles",
        subject_claim="sub",
    )
    others = (
        _foreign(name, each, state.foreign_jwks[name])
        for name, each in foreign.items()
        if name in state.foreign_jwks
    )
    revoked: Iterable[pb.RevokedOperator] = (
        pb.RevokedOperator(operator_id=name, least_generation=least)
        for name, least in state.least_generations.items()
    )
    return pb.WatchTokensResponse(
        issuers=[own, *others],
        revoked_token_ids=sorted(state.revoked_tokens),
        revoked_operators=revoked,
    )


def _foreign(name: str, config: IssuerConfig, jwks: str) -> pb.TokenIssuer:
    return pb.TokenIssuer(
        name=name,
        issuer=config.issuer,
        audience=config.audience,
        algorithms=config.algorithms,
        jwks=jwks,
        roles_claim=config.roles_claim,
        subject_claim=config.subject_claim,
        roles=[
            pb.RoleMeaning(role=theirs, means=sorted(roles_.implied(ours)))
            for theirs, ours in config.roles.items()
        ],
    )
