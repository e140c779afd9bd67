"""Access's use cases on memory, with a clock that stands still."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from services.access.domain.issuers import IssuerConfig
from services.access.domain.signer import SignerRules
from services.access.domain.trust_state import TrustState
from services.access.ports import Stores
from services.access.usecases.authenticate_client import AuthenticateClient
from services.access.usecases.inspect_tokens import InspectTokens
from services.access.usecases.issue_token import IssueToken
from services.access.usecases.keep_trust import KeepTrust
from services.access.usecases.log_in import (
    Attempt,
    ChangePassword,
    LogIn,
    Recognise,
    SecondFactor,
)
from services.access.usecases.manage_operators import AddClientKey, ManagePeople, PutClient
from services.access.usecases.sessions import SessionRules, Sessions
from services.access.usecases.sign_token import Rules, SignToken
from services.common.mosip_wire import base64url
from services.common.tokens import Issuer, TokenTrust, Trust
from services.common.tokens.jwk import keys_of
from tests.fakes.access import (
    FakeAccess,
    FakeCertifyingKey,
    FakeForeignKeys,
    FakeTokens,
    FakeTrustStore,
    fake_stores,
)
from tests.fakes.clock import FakeClock

RULES = Rules("https://issuer", "idmesh", 900, "https://edge")
SIGNERS = SignerRules(overlap_s=90, life_s=3600, token_ttl_s=900)
HOME = "192.0.2.7"
PASSWORD = "correct horse battery"


@dataclass
class Access:
    memory: FakeAccess = field(default_factory=FakeAccess)
    clock: FakeClock = field(default_factory=FakeClock)
    certifier: FakeCertifyingKey = field(default_factory=FakeCertifyingKey)
    foreign: FakeForeignKeys = field(default_factory=FakeForeignKeys)

    def __post_init__(self) -> None:
        self.stores: Stores = fake_stores(self.memory, self.clock)
        self.tokens = FakeTokens(self.memory)
        self.verifier = TokenTrust(clock=self.clock)
        self.trust = self.another_process()
        self.sign = SignToken(self.trust, self.tokens, self.clock, RULES)
        session = SessionRules(idle_s=3600, longest_s=7200)
        self.sessions = Sessions(
            self.stores, self.tokens, self.sign, self.clock, rules=RULES, session=session
        )
        self.authenticate = AuthenticateClient(
            self.stores,
            self.tokens,
            self.clock,
            audiences=frozenset({"https://issuer", "https://edge/oauth2/token"}),
            back_off=self.memory.rules,
        )
        self.issue = IssueToken(self.sign, self.stores.attempts, self.clock)
        recognise = Recognise(self.stores, self.clock)
        self.log_in = LogIn(recognise, self.sign, self.sessions, second_factor_needed=True)
        self.change_password = ChangePassword(recognise, self.stores, self.clock, RULES)
        self.second_factor = SecondFactor(recognise, self.stores, self.clock, label="idmesh")
        self.put_client = PutClient(self.stores.operators, self.stores.hashes)
        self.add_key = AddClientKey(self.stores.operators)
        self.manage = ManagePeople(self.stores, self.clock, rules=RULES, first_password_s=3600)
        self.inspect = InspectTokens(self.verifier, self.tokens, self.sessions)

    def another_process(self) -> KeepTrust:
        return KeepTrust(
            FakeTrustStore(self.memory),
            self.certifier,
            self.foreign,
            self.clock,
            SIGNERS,
            back_off=self.memory.rules,
            on_change=self.heard,
        )

    def heard(self, state: TrustState) -> None:
        own = Issuer(
            name="",
            issuer=RULES.issuer,
            audience=RULES.audience,
            algorithms=frozenset({"ES256"}),
            keys=keys_of(state.jwks),
        )
        self.verifier.set(Trust({RULES.issuer: own}, state.revoked_tokens, state.least_generations))

    async def token(self, client_id: str, secret: str, scope: str = "") -> str:
        client = await self.authenticate.by_secret(client_id, secret, HOME)
        return (await self.issue(client, scope, source=HOME, how="client_secret")).token

    async def person(self, name: str, *roles: str) -> str:
        """Make a person with PASSWORD and a second factor; return its secret in hex."""
        first = await self.manage.create(name, roles)
        await self.change_password(Attempt(name, first, "", HOME), PASSWORD)
        await self.second_factor.enrol(Attempt(name, PASSWORD, "", HOME))
        sealed = self.memory.credentials[name].totp
        assert sealed is not None
        return sealed.partition(":")[2]

    def reasons(self) -> list[str]:
        return [reason for _, _, reason in self.memory.audited if reason]


def claims_of(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64url.decode(token.split(".")[1]))
    return decoded


def header_of(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64url.decode(token.split(".", maxsplit=1)[0]))
    return decoded


def an_issuer(**other: Any) -> IssuerConfig:
    given = {"issuer": "https://elsewhere", "audience": "idmesh", "jwks_uri": "https://x/jwks"}
    return IssuerConfig(**(given | other))
