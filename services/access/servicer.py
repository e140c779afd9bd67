"""AccessService, OAuthService and OperatorService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc.aio
from google.api import httpbody_pb2
from idmesh.access.v1 import access_service_pb2 as pb
from idmesh.access.v1 import access_service_pb2_grpc

from services.access import convert
from services.access.domain import assertion as assertions
from services.access.domain.attempts import source_of
from services.access.domain.issuers import IssuerConfig
from services.access.domain.operator import Operator
from services.access.domain.token import IssuedToken
from services.access.usecases.authenticate_client import AuthenticateClient
from services.access.usecases.inspect_tokens import InspectTokens
from services.access.usecases.issue_token import IssueToken
from services.access.usecases.keep_trust import KeepTrust
from services.access.usecases.log_in import Attempt, ChangePassword, LogIn, SecondFactor
from services.access.usecases.manage_operators import AddClientKey, ManagePeople, PutClient
from services.access.usecases.sessions import Sessions
from services.access.usecases.sign_token import Rules
from services.common.errors import InvalidArgument, NotFound, PlatformError, Unauthenticated

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
# A sign of life for verifiers.
_WORD_EVERY_S = 5.0
# The edge makes it the HTTP status, and shows it to nobody.
STATUS_METADATA = "x-idmesh-status"
# Shorter than a signer's overlap, with room for a clock and a cache in between.
JWKS_CACHE = "public, max-age=30"


@dataclass(frozen=True)
class ForPrograms:
    """The use cases of clients."""

    put: PutClient
    add_key: AddClientKey
    authenticate: AuthenticateClient
    issue: IssueToken


class AccessServicer(access_service_pb2_grpc.AccessServiceServicer):
    """Tokens for programs, and the keys that verify all tokens."""

    def __init__(
        self,
        programs: ForPrograms,
        trust: KeepTrust,
        rules: Rules,
        foreign: Mapping[str, IssuerConfig],
    ) -> None:
        self._put_client = programs.put
        self._add_key = programs.add_key
        self._authenticate = programs.authenticate
        self._issue = programs.issue
        self._trust = trust
        self._rules = rules
        self._foreign = foreign

    async def PutOperator(
        self, request: pb.PutOperatorRequest, context: Context
    ) -> pb.PutOperatorResponse:
        """Make or change a client."""
        secret = await self._put_client(
            request.operator_id, list(request.roles), active=request.active
        )
        self._trust.poke()
        return pb.PutOperatorResponse(secret=secret)

    async def AddClientKey(
        self, request: pb.AddClientKeyRequest, context: Context
    ) -> pb.AddClientKeyResponse:
        """Give a client a public key."""
        return pb.AddClientKeyResponse(
            key_id=await self._add_key(request.client_id, request.public_key)
        )

    async def IssueToken(
        self, request: pb.IssueTokenRequest, context: Context
    ) -> pb.IssueTokenResponse:
        """Exchange a secret for a token."""
        source = _source(context)
        client = await self._authenticate.by_secret(
            request.client_id, request.client_secret, source
        )
        issued = await self._issue(client, "", source=source, how="client_secret")
        return pb.IssueTokenResponse(
            access_token=issued.token,
            token_type="Bearer",  # noqa: S106
            expires_in=issued.expires_in_s,
        )

    async def GetJwks(self, request: pb.GetJwksRequest, context: Context) -> httpbody_pb2.HttpBody:
        """Return the keys that verify tokens."""
        await context.send_initial_metadata((("cache-control", JWKS_CACHE),))
        return _jwks(self._trust.state.jwks)

    async def GetIssuerJwks(
        self, request: pb.GetIssuerJwksRequest, context: Context
    ) -> httpbody_pb2.HttpBody:
        """Return the keys of an issuer elsewhere."""
        known = self._trust.state.foreign_jwks.get(request.name)
        if known is None:
            raise NotFound("ISSUER_UNKNOWN", "No keys of such an issuer are known.")
        await context.send_initial_metadata((("cache-control", JWKS_CACHE),))
        return _jwks(known)

    async def WatchTokens(
        self, request: pb.WatchTokensRequest, context: Context
    ) -> AsyncIterator[pb.WatchTokensResponse]:
        """Tell what verifies tokens, now and whenever it changes."""
        state = await self._trust.later_than(0, _WORD_EVERY_S)
        while True:
            if state.revision:
                yield convert.word_from(
                    state, self._rules.issuer, self._rules.audience, self._foreign
                )
            state = await self._trust.later_than(state.revision, _WORD_EVERY_S)

    async def RenewSigner(
        self, request: pb.RenewSignerRequest, context: Context
    ) -> pb.RenewSignerResponse:
        """Move the certifying key on."""
        version, usable_in_s = await self._trust.renew()
        return pb.RenewSignerResponse(key_version=version, usable_in_s=usable_in_s)


class OAuthServicer(access_service_pb2_grpc.OAuthServiceServicer):
    """OAuth 2.0's own wire: its errors are answers here, with a status of their own."""

    def __init__(
        self,
        authenticate: AuthenticateClient,
        issue: IssueToken,
        sessions: Sessions,
        inspect: InspectTokens,
        rules: Rules,
    ) -> None:
        self._authenticate = authenticate
        self._issue = issue
        self._sessions = sessions
        self._inspect = inspect
        self._rules = rules

    async def Token(self, request: pb.TokenRequest, context: Context) -> httpbody_pb2.HttpBody:
        """Give a token for what the grant type asks."""

        async def answer() -> Mapping[str, object]:
            form = convert.form_from(request.body)
            match form.get("grant_type"):
                case "client_credentials":
                    return convert.token_document(await self._for_client(form, context))
                case "refresh_token":
                    token = form.get("refresh_token", "")
                    issued = await self._sessions.refresh(token, form.get("scope", ""))
                    return convert.token_document(issued)
                case None:
                    raise InvalidArgument("GRANT_TYPE_MISSING", "grant_type is missing.")
            raise InvalidArgument("GRANT_TYPE_UNKNOWN", "This grant type is not offered.")

        return await _answered(context, answer)

    async def Revoke(self, request: pb.RevokeRequest, context: Context) -> httpbody_pb2.HttpBody:
        """End a token before its time."""

        async def answer() -> Mapping[str, object]:
            form = convert.form_from(request.body)
            client, _ = await self._client(form, context)
            if not form.get("token"):
                raise InvalidArgument("TOKEN_MISSING", "token is missing.")
            await self._inspect.revoke(form["token"], client)
            return {}

        return await _answered(context, answer)

    async def Introspect(
        self, request: pb.IntrospectRequest, context: Context
    ) -> httpbody_pb2.HttpBody:
        """Tell a client what a token says."""

        async def answer() -> Mapping[str, object]:
            form = convert.form_from(request.body)
            client, _ = await self._client(form, context)
            if client is None:
                raise Unauthenticated("CLIENT_REFUSED", "Only clients may ask.")
            return self._inspect.introspect(form.get("token", ""))

        return await _answered(context, answer)

    async def GetMetadata(
        self, request: pb.GetMetadataRequest, context: Context
    ) -> httpbody_pb2.HttpBody:
        """Tell where everything is."""
        rules = self._rules
        return convert.json_body(
            convert.metadata_document(rules.issuer, rules.public_url or rules.issuer)
        )

    async def _for_client(self, form: Mapping[str, str], context: Context) -> IssuedToken:
        client, method = await self._client(form, context)
        if client is None:
            raise Unauthenticated("CLIENT_REFUSED", "The client proves nothing.")
        return await self._issue(client, form.get("scope", ""), source=_source(context), how=method)

    async def _client(
        self, form: Mapping[str, str], context: Context
    ) -> tuple[Operator | None, str]:
        proof = convert.proof_from(form, _header(context, "authorization"), assertions.TYPE)
        if not proof.offered:
            return None, ""
        source = _source(context)
        if proof.assertion is not None:
            found = await self._authenticate.by_assertion(proof.assertion, proof.client_id, source)
        else:
            found = await self._authenticate.by_secret(
                proof.client_id or "", proof.secret or "", source
            )
        return found, proof.method


@dataclass(frozen=True)
class ForPeople:
    """The use cases of people."""

    log_in: LogIn
    change_password: ChangePassword
    second_factor: SecondFactor
    manage: ManagePeople


class OperatorServicer(access_service_pb2_grpc.OperatorServiceServicer):
    """People: made, changed, logged in."""

    def __init__(self, people: ForPeople, trust: KeepTrust) -> None:
        self._people = people
        self._manage = people.manage
        self._trust = trust

    async def CreateOperator(
        self, request: pb.CreateOperatorRequest, context: Context
    ) -> pb.CreateOperatorResponse:
        """Make a person."""
        password = await self._manage.create(request.operator_id, list(request.roles))
        return pb.CreateOperatorResponse(password=password)

    async def ChangeOperator(
        self, request: pb.ChangeOperatorRequest, context: Context
    ) -> pb.ChangeOperatorResponse:
        """Change what an operator may."""
        operator, credentials = await self._manage.change(
            request.operator_id,
            active=request.active if request.HasField("active") else None,
            roles=list(request.roles) if request.replace_roles else None,
        )
        self._trust.poke()
        return pb.ChangeOperatorResponse(operator=convert.info_from(operator, credentials))

    async def ResetOperator(
        self, request: pb.ResetOperatorRequest, context: Context
    ) -> pb.ResetOperatorResponse:
        """Give a new first password."""
        password = await self._manage.reset(
            request.operator_id, second_factor_too=request.second_factor_too
        )
        self._trust.poke()
        return pb.ResetOperatorResponse(password=password)

    async def UnlockOperator(
        self, request: pb.UnlockOperatorRequest, context: Context
    ) -> pb.UnlockOperatorResponse:
        """Forget wrong attempts."""
        await self._manage.unlock(request.operator_id)
        return pb.UnlockOperatorResponse()

    async def ListOperators(
        self, request: pb.ListOperatorsRequest, context: Context
    ) -> pb.ListOperatorsResponse:
        """Return all operators."""
        return pb.ListOperatorsResponse(
            operators=[
                convert.info_from(operator, credentials, locked=locked)
                for operator, credentials, locked in await self._manage.listed()
            ]
        )

    async def Login(self, request: pb.LoginRequest, context: Context) -> pb.LoginResponse:
        """Give a person a token."""
        issued = await self._people.log_in(_attempt(request, request.code, context), request.scope)
        return pb.LoginResponse(
            access_token=issued.token,
            token_type="Bearer",  # noqa: S106
            expires_in=issued.expires_in_s,
            refresh_token=issued.refresh_token,
            scope=issued.scope,
        )

    async def ChangePassword(
        self, request: pb.ChangePasswordRequest, context: Context
    ) -> pb.ChangePasswordResponse:
        """Take a new password for the old one."""
        attempt = _attempt(request, request.code, context)
        await self._people.change_password(attempt, request.new_password)
        self._trust.poke()
        return pb.ChangePasswordResponse()

    async def EnrolTotp(
        self, request: pb.EnrolTotpRequest, context: Context
    ) -> pb.EnrolTotpResponse:
        """Begin a second factor."""
        uri = await self._people.second_factor.enrol(_attempt(request, "", context))
        return pb.EnrolTotpResponse(uri=uri)

    async def ConfirmTotp(
        self, request: pb.ConfirmTotpRequest, context: Context
    ) -> pb.ConfirmTotpResponse:
        """End the enrolment."""
        codes = await self._people.second_factor.confirm(_attempt(request, request.code, context))
        return pb.ConfirmTotpResponse(recovery_codes=codes)


async def _answered(
    context: Context, answer: Callable[[], Awaitable[Mapping[str, object]]]
) -> httpbody_pb2.HttpBody:
    """Return what OAuth expects, errors too."""
    headers = {"cache-control": "no-store"}
    try:
        document = await answer()
    except PlatformError as error:
        status, told, more = convert.error_from(error)
        headers |= more | {STATUS_METADATA: str(status)}
        document = told
    await context.send_initial_metadata(tuple(headers.items()))
    return convert.json_body(document)


def _attempt(
    request: pb.LoginRequest
    | pb.ChangePasswordRequest
    | pb.EnrolTotpRequest
    | pb.ConfirmTotpRequest,
    code: str,
    context: Context,
) -> Attempt:
    return Attempt(request.operator_id, request.password, code, _source(context))


def _jwks(document: str) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="application/jwk-set+json", data=document.encode())


def _source(context: Context) -> str:
    return source_of(_header(context, "x-forwarded-for"))


def _header(context: Context, name: str) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == name and isinstance(value, str):
            return value
    return None
