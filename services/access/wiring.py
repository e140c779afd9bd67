"""Composition root of the access service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from idmesh.access.v1 import access_service_pb2, access_service_pb2_grpc

from services.access import convert
from services.access.clients.foreign_keys import FetchedKeys
from services.access.clients.keys import VaultCertifyingKey, VaultFactorSeal, VaultSecretHashes
from services.access.clients.passwords import Argon2Parameters, Argon2Passwords
from services.access.clients.sources import SourceLimits
from services.access.config import Config
from services.access.domain.attempts import BackOff
from services.access.domain.signer import SignerRules
from services.access.domain.trust_state import TrustState
from services.access.ports import Stores
from services.access.servicer import (
    AccessServicer,
    ForPeople,
    ForPrograms,
    OAuthServicer,
    OperatorServicer,
)
from services.access.store import holdings
from services.access.store.logins import StoredAttempts, StoredLogins
from services.access.store.operators import StoredOperators
from services.access.store.tokens import StoredTokens, StoredTrust
from services.access.usecases.authenticate_client import AuthenticateClient
from services.access.usecases.inspect_tokens import InspectTokens
from services.access.usecases.issue_token import IssueToken
from services.access.usecases.keep_trust import KeepTrust
from services.access.usecases.log_in import (
    ChangePassword,
    LogIn,
    Recognise,
    SecondFactor,
)
from services.access.usecases.manage_operators import AddClientKey, ManagePeople, PutClient
from services.access.usecases.sessions import SessionRules, Sessions
from services.access.usecases.sign_token import Rules, SignToken
from services.common import mesh, tokens
from services.common.clock import SystemClock
from services.common.patience import patiently
from services.common.process import Built, Service
from services.common.telemetry import Telemetry
from services.common.tokens.trust import trust_from_proto

NAME = "access"
_SERVICES = access_service_pb2.DESCRIPTOR.services_by_name


@asynccontextmanager
async def build(config: Config, *, telemetry: Telemetry) -> AsyncIterator[Service]:
    """Connect and serve tokens."""
    async with mesh.join(config, NAME) as member:
        passwords = Argon2Passwords(
            Argon2Parameters(
                config.passwords.memory_kib,
                config.passwords.iterations,
                config.passwords.lanes,
                config.passwords.at_once,
            )
        )
        try:
            trust = _serve(config, member, passwords)
            # The first token is asked for as soon as the door is open.
            await patiently(trust.tick)
            member.serve_feed()
            member.serve_keys(
                [
                    *(member.column(each) for each in holdings.COLUMNS),
                    holdings.CertifiedSigners(member.database, trust.renew),
                    holdings.SigningVersions(
                        member.database, timedelta(seconds=config.signer_overlap_s)
                    ),
                ]
            )
            yield Built(name=NAME, server=member.server, background=member.background)
        finally:
            passwords.close()


def _serve(config: Config, member: mesh.Membership, passwords: Argon2Passwords) -> KeepTrust:
    clock, database = SystemClock(), member.database
    back_off = _back_off(config)
    rules = Rules(config.issuer, config.audience, config.token_ttl_s, config.public_url)
    stores = Stores(
        StoredOperators(database, rules.tokens_live),
        StoredLogins(database),
        StoredAttempts(database, back_off),
        VaultSecretHashes(member.vault),
        VaultFactorSeal(member.vault),
        passwords,
        SourceLimits(
            clock,
            burst=config.attempts.source_burst,
            per_minute=config.attempts.source_per_minute,
        ),
    )
    verifier = tokens.TokenTrust()
    trust = _trust(config, member, back_off, verifier)
    issued = StoredTokens(database)
    sign = SignToken(trust, issued, clock, rules)
    session = SessionRules(config.refresh_idle_s, config.session_s)
    sessions = Sessions(stores, issued, sign, clock, rules=rules, session=session)
    audiences = frozenset({rules.issuer, f"{rules.public_url or rules.issuer}/oauth2/token"})
    authenticate = AuthenticateClient(stores, issued, clock, audiences=audiences, back_off=back_off)
    issue = IssueToken(sign, stores.attempts, clock)
    programs = AccessServicer(
        ForPrograms(
            PutClient(stores.operators, stores.hashes),
            AddClientKey(stores.operators),
            authenticate,
            issue,
        ),
        trust,
        rules,
        config.trusted_issuers,
    )
    inspect = InspectTokens(verifier, issued, sessions)
    oauth = OAuthServicer(authenticate, issue, sessions, inspect, rules)
    people = OperatorServicer(_for_people(config, stores, sign, sessions, rules), trust)
    grpc, server = access_service_pb2_grpc, member.server
    server.add(grpc.add_AccessServiceServicer_to_server, programs, _SERVICES["AccessService"])
    server.add(grpc.add_OAuthServiceServicer_to_server, oauth, _SERVICES["OAuthService"])
    server.add(grpc.add_OperatorServiceServicer_to_server, people, _SERVICES["OperatorService"])
    return trust


def _for_people(
    config: Config, stores: Stores, sign: SignToken, sessions: Sessions, rules: Rules
) -> ForPeople:
    clock = SystemClock()
    recognise = Recognise(stores, clock)
    return ForPeople(
        LogIn(recognise, sign, sessions, second_factor_needed=config.second_factor_needed),
        ChangePassword(recognise, stores, clock, rules),
        SecondFactor(recognise, stores, clock, label="idmesh"),
        ManagePeople(
            stores,
            clock,
            rules=rules,
            first_password_s=config.passwords.first_password_s,
        ),
    )


def _back_off(config: Config) -> BackOff:
    return BackOff(
        config.attempts.free,
        config.attempts.free_anywhere,
        last_s=config.attempts.longest_wait_s,
    )


def _trust(
    config: Config, member: mesh.Membership, back_off: BackOff, verifier: tokens.TokenTrust
) -> KeepTrust:
    """Keep signers and tell everybody, ourselves first."""
    foreign = FetchedKeys(config.trusted_issuers)

    def heard(state: TrustState) -> None:
        word = convert.word_from(state, config.issuer, config.audience, config.trusted_issuers)
        verifier.set(trust_from_proto(word))

    trust = KeepTrust(
        StoredTrust(member.database),
        VaultCertifyingKey(member.vault),
        foreign,
        SystemClock(),
        SignerRules(config.signer_overlap_s, config.signer_life_s, config.token_ttl_s),
        back_off=back_off,
        on_change=heard,
    )
    foreign.on_change = trust.poke
    member.background.append(trust.run)
    if config.trusted_issuers:
        member.background.append(foreign.run)
    return trust
