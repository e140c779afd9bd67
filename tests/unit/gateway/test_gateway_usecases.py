from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import Message
from idmesh.partner.v1 import partner_events_pb2, partner_pb2

from services.common.errors import NotFound, PlatformError, Unavailable
from services.common.feed import Event, Position
from services.common.mosip_wire import WireError, sign_detached
from services.gateway.convert import timestamp_of
from services.gateway.domain.directory import Directory
from services.gateway.domain.refusals import Refusals
from services.gateway.domain.request import Answer, Endpoint, PartnerRequest, VerifiedRequest
from services.gateway.follower import DirectoryFollower
from services.gateway.ports import Authentication
from services.gateway.usecases.admit import Admit
from services.gateway.usecases.answer import AnswerPartner
from services.gateway.usecases.encryption_certificates import EncryptionCertificates
from services.gateway.usecases.key_hashes import KeyHashes
from services.gateway.usecases.report_refusals import MOST_LINES, ReportRefusals
from services.local.sandbox.keys import KeyPair, make_authority, make_key_pair
from tests.fakes.authentication import FakeKeys, FakeSigner
from tests.fakes.clock import FakeClock

BODY = b'{"id":"mosip.identity.auth","transactionID":"TRANSACT10"}'
LICENCE, API_KEY = "licence-key", "api-key-secret"
STATUS = {True: partner_pb2.STATUS_ACTIVE, False: partner_pb2.STATUS_INACTIVE}


@cache
def keys() -> dict[str, KeyPair]:
    authority = make_authority("authority")
    return {
        "authority": authority,
        "bank": make_key_pair("bank", "Bank", authority),
        "stranger": make_key_pair("stranger", "Bank", authority),
        "untrusted": make_key_pair("untrusted", "Bank", make_authority("nobody's")),
    }


class FakeAuthentication(Authentication):
    def __init__(self) -> None:
        self.decided: list[VerifiedRequest] = []
        self.fail_with: Exception | None = None
        self.asked = 0

    async def decide(self, verified: VerifiedRequest) -> Answer:
        if self.fail_with is not None:
            raise self.fail_with
        self.decided.append(verified)
        return Answer(b"exact bytes", "exact..signature")

    async def encryption_certificates(self) -> dict[str, str]:
        self.asked += 1
        return {"PARTNER": "PEM"}


@dataclass
class FakeRefusalLog:
    reports: list[tuple[UUID, list[Refusals]]] = field(default_factory=list)
    failure: PlatformError | None = None

    async def append(self, report_id: UUID, refusals: Sequence[Refusals]) -> None:
        self.reports.append((report_id, list(refusals)))
        if self.failure is not None:
            raise self.failure


@dataclass
class Bench:
    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime.now(UTC)))
    vault: FakeKeys = field(default_factory=FakeKeys)
    directory: Directory = field(default_factory=Directory)
    authentication: FakeAuthentication = field(default_factory=FakeAuthentication)

    def __post_init__(self) -> None:
        self.follower = DirectoryFollower(self.directory)
        self.hashes = KeyHashes(self.directory, self.vault, self.clock, ttl_s=60, max_entries=2)
        admit = Admit(self.directory, self.hashes, self.clock, max_body_bytes=1000)
        self.reports = FakeRefusalLog()
        self.refusals = ReportRefusals(self.directory, self.reports, self.clock, interval_s=1)
        self.answer = AnswerPartner(
            admit, self.authentication, FakeSigner(), self.clock, self.refusals,
            max_body_bytes=1000,
        )  # fmt: skip

    def told(self, message: Message) -> None:
        self.follower.apply(Event(Position(1, 1, 1), message, self.clock.now()))

    async def digest(self, secret: str) -> bytes:
        [mac] = await self.vault.hmac("core/transit/api-key", [secret.encode()], version=1)
        return mac.digest

    def partner(self, *pairs: KeyPair, active: bool = True) -> None:
        ders = [pair.certificate.public_bytes(Encoding.DER) for pair in pairs]
        self.told(
            partner_events_pb2.PartnerChanged(
                partner=partner_pb2.Partner(
                    partner_id="bank",
                    type=partner_pb2.PARTNER_TYPE_AUTH,
                    status=STATUS[active],
                    certificates=ders,
                )
            )
        )

    def misp(self, active: bool = True) -> None:
        self.told(
            partner_events_pb2.PartnerChanged(
                partner=partner_pb2.Partner(
                    partner_id="misp", type=partner_pb2.PARTNER_TYPE_MISP, status=STATUS[active]
                )
            )
        )

    def policy(self, *allowed: str, active: bool = True, until: datetime | None = None) -> None:
        document = json.dumps({"allowedAuthTypes": [{"authType": kind} for kind in allowed]})
        policy = partner_pb2.Policy(policy_id="policy", document=document, status=STATUS[active])
        if until is not None:
            policy.valid_until.CopyFrom(timestamp_of(until))
        self.told(partner_events_pb2.PolicyChanged(policy=policy))

    async def licence(self, active: bool = True, until: datetime | None = None) -> None:
        licence = partner_pb2.Licence(
            licence_id="licence", partner_id="misp", status=STATUS[active]
        )
        if until is not None:
            licence.expires_at.CopyFrom(timestamp_of(until))
        self.told(
            partner_events_pb2.LicenceChanged(
                licence=licence, lookup_key=await self.digest(LICENCE), lookup_key_version=1
            )
        )

    async def api_key(
        self, active: bool = True, until: datetime | None = None, partner_id: str = "bank"
    ) -> None:
        api_key = partner_pb2.ApiKey(
            key_id="key", partner_id=partner_id, policy_id="policy", status=STATUS[active]
        )
        if until is not None:
            api_key.expires_at.CopyFrom(timestamp_of(until))
        self.told(
            partner_events_pb2.ApiKeyChanged(
                api_key=api_key, lookup_key=await self.digest(API_KEY), lookup_key_version=1
            )
        )

    async def ready(self) -> None:
        self.partner(keys()["bank"])
        self.misp()
        self.policy("otp-request", "kyc", "demo")
        await self.licence()
        await self.api_key()
        authority = keys()["authority"].certificate.public_bytes(Encoding.DER)
        for domain in (partner_pb2.TRUST_DOMAIN_AUTH, partner_pb2.TRUST_DOMAIN_DEVICE):
            self.told(partner_events_pb2.CaCertificateAdded(domain=domain, certificate=authority))

    def request(self, signer: str = "bank", **changes: Any) -> PartnerRequest:
        pair = keys()[signer]
        request = PartnerRequest(
            endpoint=Endpoint.AUTH,
            licence_key=LICENCE,
            partner_id="bank",
            api_key=API_KEY,
            body=BODY,
            signature=sign_detached(BODY, pair.key, [pair.certificate]),
            authorization="Authorization",
            received_at=self.clock.now(),
        )
        return replace(request, **changes)

    async def codes(self, request: PartnerRequest | None = None) -> list[str]:
        answer = await self.answer(request or self.request())
        if answer.body == b"exact bytes":
            return []
        return [error["errorCode"] for error in json.loads(answer.body)["errors"]]


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    await made.ready()
    return made


async def test_a_proven_request_goes_on_and_its_answer_comes_back_unchanged(bench: Bench) -> None:
    answer = await bench.answer(bench.request())
    assert (answer.body, answer.signature) == (b"exact bytes", "exact..signature")
    [verified] = bench.authentication.decided
    assert verified.request.body == BODY
    assert (verified.misp_id, verified.policy_id, verified.api_key_id) == ("misp", "policy", "key")
    assert verified.certificate == keys()["bank"].certificate.public_bytes(Encoding.DER)


async def test_every_state_of_the_directory_has_its_code(bench: Bench) -> None:
    past = bench.clock.now()
    bank = keys()["bank"]

    async def expect(code: str) -> None:
        assert await bench.codes() == [code]
        await bench.ready()
        assert await bench.codes() == []

    await bench.licence(active=False)
    await expect("IDA-MPA-017")
    bench.misp(active=False)
    await expect("IDA-MPA-017")
    await bench.licence(until=past)
    await expect("IDA-MPA-008")
    bench.partner(bank, active=False)
    await expect("IDA-MPA-012")
    await bench.api_key(active=False)
    await expect("IDA-MPA-009")
    await bench.api_key(partner_id="other")
    await expect("IDA-MPA-009")
    await bench.api_key(until=past)
    await expect("IDA-MPA-039")
    bench.policy("demo", active=False)
    await expect("IDA-MPA-019")
    bench.policy("demo", until=past)
    await expect("IDA-MPA-019")
    del bench.directory.policies["policy"]
    await expect("IDA-MPA-018")
    del bench.directory.partners["bank"]
    await expect("IDA-MPA-009")
    bench.partner()
    await expect("IDA-MPA-021")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"licence_key": ""}, "IDA-MPA-038"),
        ({"licence_key": "unknown"}, "IDA-MPA-007"),
        ({"licence_key": "a b"}, "IDA-MPA-007"),
        ({"partner_id": "misp"}, "IDA-MPA-009"),
        ({"api_key": "unknown"}, "IDA-MPA-009"),
        ({"body": b"x" * 1001}, "IDA-MLC-009"),
        ({"body": BODY + b" "}, "IDA-MPA-001"),
        ({"signature": None}, "IDA-MLC-006"),
        ({"signature": "x"}, "IDA-MPA-001"),
        ({"authorization": None}, "IDA-MLC-006"),
        ({"authorization": " "}, "IDA-MLC-006"),
    ],
)
async def test_every_part_of_a_request_counts(
    bench: Bench, change: dict[str, Any], code: str
) -> None:
    assert await bench.codes(bench.request(**change)) == [code]
    assert bench.authentication.decided == []


async def test_only_a_registered_and_trusted_signer_is_believed(bench: Bench) -> None:
    assert await bench.codes(bench.request("stranger")) == ["IDA-MPA-021"]
    bench.partner(keys()["untrusted"])
    assert await bench.codes(bench.request("untrusted")) == ["IDA-MPA-001"]
    bench.partner(keys()["bank"])
    ends = keys()["bank"].certificate.not_valid_after_utc
    assert await bench.codes() == []
    bench.clock.set(ends + timedelta(seconds=1))
    assert await bench.codes() == ["IDA-MPA-001"]


async def test_endpoints_need_the_policy(bench: Bench) -> None:
    bench.policy("demo")
    assert await bench.codes(bench.request(endpoint=Endpoint.OTP)) == ["IDA-MPA-005"]
    assert await bench.codes(bench.request(endpoint=Endpoint.KYC)) == ["IDA-MPA-013"]
    assert await bench.codes() == []


async def test_a_refusal_has_the_shape_of_its_api(bench: Bench) -> None:
    for endpoint, response in (
        (Endpoint.AUTH, {"authStatus": False, "authToken": None}),
        (Endpoint.OTP, None),
    ):
        request = bench.request(endpoint=endpoint, licence_key="unknown")
        answer = await bench.answer(request)
        document = json.loads(answer.body)
        assert document["response"] == response
        assert document["id"] == endpoint.value
        assert document["transactionID"] == "TRANSACT10"
        assert answer.signature == await FakeSigner().sign(answer.body)


async def test_strangers_cost_no_signature_check_and_known_keys_no_vault(bench: Bench) -> None:
    assert await bench.codes() == []
    bench.vault.calls.clear()
    for _ in range(3):
        assert await bench.codes() == []
    assert bench.vault.calls == {}
    # Vault away: who is remembered still gets through, a status change still counts.
    bench.vault.fail_with = Unavailable("VAULT_SEALED", "Sealed.")
    assert await bench.codes() == []
    bench.partner(keys()["bank"], active=False)
    assert await bench.codes() == ["IDA-MPA-012"]
    bench.clock.advance(61)
    with pytest.raises(Unavailable):
        await bench.codes()


async def test_unknown_keys_push_no_known_ones_out(bench: Bench) -> None:
    assert await bench.codes() == []
    for number in range(10):
        assert await bench.hashes.api_key(f"unknown-{number}") is None
    bench.vault.calls.clear()
    assert await bench.codes() == []
    assert bench.vault.calls == {}
    # A licence is no API key.
    assert await bench.hashes.api_key(LICENCE) is None


async def test_an_outage_behind_is_no_answer(bench: Bench) -> None:
    bench.authentication.fail_with = Unavailable("AUTHENTICATION_UNAVAILABLE", "Away.")
    with pytest.raises(Unavailable):
        await bench.codes()


async def test_a_restart_of_the_feed_forgets_all(bench: Bench) -> None:
    bench.directory.clear()
    assert await bench.codes() == ["IDA-MPA-007"]
    await bench.ready()
    assert await bench.codes() == []


async def test_certificates_are_remembered_for_a_minute(bench: Bench) -> None:
    certificates = EncryptionCertificates(bench.authentication, bench.clock)
    assert await certificates("PARTNER") == "PEM"
    with pytest.raises(NotFound):
        await certificates("OTHER")
    assert bench.authentication.asked == 1
    bench.clock.advance(61)
    assert await certificates("PARTNER") == "PEM"
    assert bench.authentication.asked == 2


def test_a_policy_that_is_malformed_allows_nothing() -> None:
    from services.gateway.domain.directory import allowed_types

    for document in ("", "[]", "{}", '{"allowedAuthTypes":[{}]}', '{"allowedAuthTypes":3}'):
        assert allowed_types(document) == frozenset()


def test_secrets_stay_out_of_reprs(bench: Bench) -> None:
    text = repr(bench.request())
    assert LICENCE not in text
    assert API_KEY not in text
    with pytest.raises(WireError) as refused:
        bench.directory.admit(None, "bank", None, bench.clock.now())
    assert "bank" not in str(refused.value)


async def test_refusals_are_counted_and_told_once_also_when_audit_is_away_for_a_while() -> None:
    bench = Bench()
    bench.partner()
    for partner in ("bank", "nobody", "nobody else", "bank"):
        bench.refusals.note(partner, "IDA-MPA-009")
    bench.reports.failure = Unavailable("UPSTREAM_UNAVAILABLE", "Away.")
    await bench.refusals.report()
    bench.refusals.note("bank", "IDA-MPA-017")
    bench.reports.failure = None
    await bench.refusals.report()
    await bench.refusals.report()
    await bench.refusals.report()
    first, again, rest = bench.reports.reports
    assert again == first
    assert {(line.partner_id, line.count) for line in first[1]} == {("bank", 2), ("", 2)}
    assert [(line.partner_id, line.reason, line.count) for line in rest[1]] == [
        ("bank", "IDA-MPA-017", 1)
    ]


async def test_a_refused_request_is_noted() -> None:
    bench = Bench()
    [code] = await bench.codes(bench.request(partner_id="nobody"))
    await bench.refusals.report()
    [(_, [line])] = bench.reports.reports
    assert (line.partner_id, line.reason) == ("", code)


async def test_a_report_stays_short_whatever_there_is_to_refuse() -> None:
    bench = Bench()
    for number in range(1000):
        bench.refusals.note("nobody", f"REASON_{number}")
    await bench.refusals.report()
    [(_, lines)] = bench.reports.reports
    assert len(lines) == MOST_LINES
    assert sum(line.count for line in lines) == 1000
