"""The decisions, with every port in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from services.authentication.domain.demographics import MOSIP_STORED_NAMES, DemographicRules
from services.authentication.domain.individual import (
    IdentityState,
    LookupKey,
    Modality,
    Person,
    ReferenceTemplate,
    StoredIdentity,
    StoredVid,
    VidState,
    VidType,
)
from services.authentication.domain.otp import OtpRules
from services.authentication.domain.partner import Endpoint, PartnerCall, VerifiedPartner
from services.authentication.ports import TrustDomain
from services.authentication.usecases.authenticate import Authenticate, AuthenticationRules
from services.authentication.usecases.device_trust import DeviceTrust
from services.authentication.usecases.envelope_keys import IDA_FIR, KEYS, PARTNER, EnvelopeKeys
from services.authentication.usecases.find_individual import FindIndividual
from services.authentication.usecases.open_request import OpenRequest
from services.authentication.usecases.policies import Policies
from services.authentication.usecases.request_otp import RequestOtp
from services.authentication.usecases.settle import Settle
from services.authentication.usecases.tokens import Tokens
from services.authentication.usecases.upkeep import Upkeep
from services.authentication.usecases.verify_otp import VerifyOtp
from services.common.errors import Aborted, InvalidArgument, Unavailable
from services.common.ids import draw_uin, draw_vid
from services.common.mosip_wire import (
    AUTH_ID,
    KYC_ID,
    LanguageValue,
    OtpChannel,
    WireError,
    build_auth_request,
    build_block,
    build_otp_request,
    seal_request,
    sign_compact,
)
from services.common.mosip_wire.capture_rules import CaptureRules
from services.common.mosip_wire.individual import IdRules
from services.common.mosip_wire.times import TimeWindow
from services.local.sandbox.device import CaptureDevice, Sample
from services.local.sandbox.keys import KeyPair, make_authority, make_key_pair
from tests.fakes.authentication import (
    FakeEnvelopeAuthority,
    FakeFollowedIdentities,
    FakeFollowedPartners,
    FakeKeys,
    FakeMatcher,
    FakeNotifier,
    FakeRecords,
    FakeSigner,
    FakeStore,
    FakeUnitOfWork,
    Tables,
)
from tests.fakes.clock import FakeClock

NAME = {"name": (LanguageValue("eng", "Anna Berg"),)}
TRANSACTION = "TRANSACT10"
POLICY = {
    "authTokenType": "partner",
    "allowedAuthTypes": [
        {"authType": kind, "mandatory": False} for kind in ("otp", "demo", "bio", "kyc")
    ],
    "allowedKycAttributes": [{"attributeName": "name"}],
}


@cache
def keys() -> dict[str, KeyPair]:
    """RSA keys are dear: made once for all tests."""
    authority = make_authority("authority")
    made = {name: make_key_pair(name, "Test", authority) for name in (*KEYS, "bank", "device")}
    return made | {"authority": authority}


def der(pair: KeyPair) -> bytes:
    return pair.certificate.public_bytes(Encoding.DER)


@dataclass
class Bench:
    """Authentication without a process around it."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime.now(UTC)))
    tables: Tables = field(default_factory=Tables)
    vault: FakeKeys = field(default_factory=FakeKeys)
    matcher: FakeMatcher = field(default_factory=FakeMatcher)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    records: FakeRecords = field(default_factory=FakeRecords)

    def __post_init__(self) -> None:
        pairs = {key: keys()[reference] for reference, key in KEYS.items()}
        self.vault.rsa = {key: pair.key for key, pair in pairs.items()}
        self.store = FakeStore(self.tables)
        self.unit = FakeUnitOfWork(self.tables)
        self.authority = FakeEnvelopeAuthority(pairs)
        self.envelopes = EnvelopeKeys(self.store, self.authority, self.vault, self.clock)
        self.device = CaptureDevice(keys()["device"], keys()["device"])
        rules = AuthenticationRules(
            TimeWindow(),
            CaptureRules(minutiae_allowed=True),
            DemographicRules(MOSIP_STORED_NAMES, frozenset({"eng"})),
        )
        settle = Settle(self.unit, FakeSigner(), self.clock, OtpRules())
        find = FindIndividual(self.store, self.vault, IdRules())
        self.authenticate = Authenticate(
            open_request=OpenRequest(self.envelopes, DeviceTrust(self.store, self.clock)),
            policies=Policies(self.store),
            find_individual=find,
            records=self.records,
            verify_otp=VerifyOtp(self.store, self.vault, self.unit, OtpRules()),
            matcher=self.matcher,
            tokens=Tokens(self.store, self.vault, self.clock),
            settle=settle,
            clock=self.clock,
            rules=rules,
        )
        self.request_otp = RequestOtp(
            find_individual=find,
            records=self.records,
            macs=self.vault,
            partners=self.store,
            notifier=self.notifier,
            unit_of_work=self.unit,
            settle=settle,
            clock=self.clock,
            rules=rules,
            otp_rules=OtpRules(),
        )

    async def ready(self) -> None:
        await self.envelopes.ensure()
        partners = FakeFollowedPartners(self.tables)
        await partners.put_policy("policy", json.dumps(POLICY), True, None)
        await partners.put_partner("bank", "Bank of Tests")
        for domain in (TrustDomain.DEVICE, TrustDomain.FTM):
            await partners.add_trust_anchor(domain, der(keys()["authority"]))

    async def person(self, **changes: Any) -> tuple[UUID, str]:
        """Add a person; return the identity id and the VID."""
        uin, vid, identity_id = draw_uin(), draw_vid(), uuid4()
        followed = FakeFollowedIdentities(self.tables)
        await followed.put(
            StoredIdentity(identity_id, 1, await self.key(uin), b"", "", IdentityState.ACTIVATED)
        )
        kept = StoredVid(
            await self.key(vid), identity_id, VidType.PERPETUAL, VidState.ACTIVE, None, None
        )
        await followed.put_vid(replace(kept, **changes))
        self.records.people[identity_id] = Person(
            {
                "fullName": [{"language": "eng", "value": "Anna Berg"}],
                "email": "anna@example.org",
                "dateOfBirth": "1990/01/01",
            },
            (ReferenceTemplate(Modality.FINGER, 1, b"FMR\0thumb"),),
        )
        return identity_id, vid

    async def key(self, text: str) -> LookupKey:
        [mac] = await self.vault.hmac("ida/transit/id-lookup", [text.encode()])
        return LookupKey(mac.digest, mac.version)

    def auth(
        self,
        individual_id: str,
        *,
        endpoint: Endpoint = Endpoint.AUTH,
        samples: tuple[Sample, ...] = (),
        transaction_id: str = TRANSACTION,
        **factors: Any,
    ) -> PartnerCall:
        now = self.clock.now()
        items = self.device.seal(
            samples,
            keys()[IDA_FIR].certificate,
            transaction_id=transaction_id,
            at=now,
            env="Staging",
            domain_uri="https://a",
        )
        block = build_block(now, biometrics=items, **factors)
        body = build_auth_request(
            seal_request(block, keys()[PARTNER].certificate),
            individual_id=individual_id,
            individual_id_type=None,
            transaction_id=transaction_id,
            at=now,
            api_id=KYC_ID if endpoint is Endpoint.KYC else AUTH_ID,
            env="Staging" if samples else None,
            domain_uri="https://a" if samples else None,
        )
        return self.call(body, endpoint)

    def otp(self, individual_id: str) -> PartnerCall:
        body = build_otp_request(
            [OtpChannel.EMAIL],
            individual_id=individual_id,
            individual_id_type=None,
            transaction_id=TRANSACTION,
            at=self.clock.now(),
        )
        return self.call(body, Endpoint.OTP)

    def call(self, body: bytes, endpoint: Endpoint = Endpoint.AUTH) -> PartnerCall:
        partner = VerifiedPartner("bank", "misp", "policy", "key", der(keys()["bank"]))
        return PartnerCall(partner, endpoint, body, "a..b", self.clock.now())

    async def codes(self, call: PartnerCall) -> list[str]:
        decide = self.request_otp if call.endpoint is Endpoint.OTP else self.authenticate
        answer = await decide(call)
        return [error["errorCode"] for error in json.loads(answer.body)["errors"] or ()]


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    await made.ready()
    return made


async def test_a_success_is_written_audited_and_uses_the_vid(bench: Bench) -> None:
    identity_id, vid = await bench.person(transactions_left=1)
    assert await bench.codes(bench.auth(vid, demographics=NAME)) == []
    [written] = bench.tables.transactions
    assert written.succeeded
    assert written.identity_id == identity_id
    assert bench.tables.audits == [written]
    assert bench.tables.vids_used == [((await bench.key(vid)).digest, written.auth_transaction_id)]
    assert await bench.codes(bench.auth(vid, demographics=NAME)) == ["IDA-MLC-023"]


async def test_a_failure_is_written_and_uses_nothing(bench: Bench) -> None:
    _, vid = await bench.person(transactions_left=1)
    wrong = {"name": (LanguageValue("eng", "Eve"),)}
    assert await bench.codes(bench.auth(vid, demographics=wrong)) == ["IDA-DEA-001"]
    assert bench.tables.vids_used == []
    assert [one.error_codes for one in bench.tables.transactions] == [("IDA-DEA-001",)]


async def test_the_session_key_is_unwrapped_once_and_biometric_ones_together(
    bench: Bench,
) -> None:
    _, vid = await bench.person()
    thumb = Sample("Finger", "Right Thumb", b"FMR\0thumb")
    bench.vault.calls.clear()
    assert await bench.codes(bench.auth(vid, demographics=NAME)) == []
    assert bench.vault.calls["rsa_decrypt"] == 1
    bench.vault.calls.clear()
    assert await bench.codes(bench.auth(vid, samples=(thumb,))) == []
    assert bench.vault.calls["rsa_decrypt"] == 2


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (None, "IDA-BIA-001"),
        (InvalidArgument("PROBE_MALFORMED", "No."), "IDA-BIA-018"),
    ],
)
async def test_a_sample_that_is_not_alike_or_unreadable_is_told(
    bench: Bench, failure: Exception | None, code: str
) -> None:
    _, vid = await bench.person()
    bench.matcher.fail_with = failure
    other = Sample("Finger", "Right Thumb", b"FMR\0other")
    assert await bench.codes(bench.auth(vid, samples=(other,))) == [code]


async def test_an_unknown_finger_subtype_is_invalid(bench: Bench) -> None:
    _, vid = await bench.person()
    toe = Sample("Finger", "Left Toe", b"FMR\0thumb")
    assert await bench.codes(bench.auth(vid, samples=(toe,))) == ["IDA-MLC-009"]
    voice = Sample("Voice", None, b"x")
    assert await bench.codes(bench.auth(vid, samples=(voice,))) == ["IDA-MLC-009"]


async def test_a_replay_is_refused_also_when_the_first_look_missed_it(bench: Bench) -> None:
    _, vid = await bench.person()
    call = bench.auth(vid, demographics=NAME)
    assert await bench.codes(call) == []
    assert await bench.codes(call) == ["IDA-MLC-009"]
    second = bench.auth(vid, demographics=NAME, transaction_id="TRANSACT11")
    original = bench.store._individual
    bench.store._individual = lambda *given: replace(  # type: ignore[method-assign]
        original(*given), replayed=False
    )
    assert await bench.codes(second) == []
    assert await bench.codes(second) == ["IDA-MLC-009"]
    assert [one.succeeded for one in bench.tables.transactions] == [True, False, True, False]


async def test_an_outage_decides_nothing(bench: Bench) -> None:
    _, vid = await bench.person()
    away = Unavailable("VAULT_UNAVAILABLE", "Away.")
    call = bench.auth(vid, demographics=NAME)
    bench.vault.fail_with = away
    with pytest.raises(Unavailable):
        await bench.codes(call)
    bench.vault.fail_with = None
    bench.unit.fail_with = [Unavailable("DATABASE_UNAVAILABLE", "Away.")]
    with pytest.raises(Unavailable):
        await bench.codes(call)
    assert bench.tables.transactions == []
    assert await bench.codes(call) == []


async def test_a_conflict_in_the_commit_is_tried_again_three_times(bench: Bench) -> None:
    _, vid = await bench.person()
    conflict = Aborted("DATABASE_CONFLICT", "Again.")
    bench.unit.fail_with = [conflict, conflict]
    assert await bench.codes(bench.auth(vid, demographics=NAME)) == []
    bench.unit.fail_with = [conflict] * 3
    with pytest.raises(Aborted):
        await bench.codes(bench.auth(vid, demographics=NAME))


async def test_a_policy_that_is_not_here_yet_is_an_outage(bench: Bench) -> None:
    _, vid = await bench.person()
    bench.tables.policies.clear()
    with pytest.raises(Unavailable) as refused:
        await bench.codes(bench.auth(vid, demographics=NAME))
    assert refused.value.reason == "POLICY_NOT_FOLLOWED"


async def test_an_otp_goes_out_once_and_comes_back(bench: Bench) -> None:
    _, vid = await bench.person()
    assert await bench.codes(bench.otp(vid)) == []
    [message] = bench.notifier.sent
    assert message.recipient == "anna@example.org"
    assert message.partner_name == "Bank of Tests"
    assert message.otp not in repr(message)
    assert all(message.otp.encode() not in kept.mac for kept in bench.tables.otps.values())
    wrong = "000000" if message.otp != "000000" else "000001"
    assert await bench.codes(bench.auth(vid, otp=wrong)) == ["IDA-OTA-004"]
    assert await bench.codes(bench.auth(vid, otp=message.otp)) == []
    assert await bench.codes(bench.auth(vid, otp=message.otp)) == ["IDA-OTA-012"]


async def test_an_otp_expires_and_wrong_tries_freeze(bench: Bench) -> None:
    identity_id, vid = await bench.person()
    await bench.codes(bench.otp(vid))
    otp = bench.notifier.sent[-1].otp
    bench.clock.advance(181)
    assert await bench.codes(bench.auth(vid, otp=otp)) == ["IDA-OTA-003"]
    await bench.codes(bench.otp(vid))
    wrong = str((int(bench.notifier.sent[-1].otp) + 1) % 10**6).zfill(6)
    found = [await bench.codes(bench.auth(vid, otp=wrong)) for _ in range(6)]
    assert found == [["IDA-OTA-004"]] * 4 + [["IDA-OTA-013"]] * 2
    # A moment later, for the same body is a replay.
    bench.clock.advance(1)
    assert await bench.codes(bench.otp(vid)) == ["IDA-OTA-013"]
    bench.clock.advance(1801)
    assert await bench.codes(bench.otp(vid)) == []
    assert bench.tables.guards[identity_id].failures == 5


async def test_a_message_that_is_not_taken_is_told(bench: Bench) -> None:
    _, vid = await bench.person()
    bench.notifier.fail_with = Unavailable("SINK_FULL", "Full.")
    assert await bench.codes(bench.otp(vid)) == ["IDA-OTA-002"]


async def test_certificates_are_made_once_and_anew_before_they_end(bench: Bench) -> None:
    assert bench.authority.made == 2
    await bench.envelopes.ensure()
    assert bench.authority.made == 2
    bench.authority.version = 2
    await bench.envelopes.ensure()
    assert bench.authority.made == 4
    ends = keys()[PARTNER].certificate.not_valid_after_utc
    bench.clock.set(ends - timedelta(days=59))
    await bench.envelopes.ensure()
    assert bench.authority.made == 6
    bench.clock.set(ends)
    thumbprint = bench.envelopes.current()[0].thumbprint
    with pytest.raises(WireError) as refused:
        await bench.envelopes.unwrap(PARTNER, thumbprint, [b"x"])
    assert refused.value.code == "IDA-MPA-004"


async def test_a_device_is_believed_only_while_its_root_is_trusted(bench: Bench) -> None:
    trust = DeviceTrust(bench.store, bench.clock)
    pair = keys()["device"]
    signed = sign_compact(b'{"a":1}', pair.key, [pair.certificate])
    assert await trust.payload(signed, TrustDomain.DEVICE, "path") == b'{"a":1}'
    bench.tables.anchors.clear()
    assert await trust.payload(signed, TrustDomain.DEVICE, "path") == b'{"a":1}'
    bench.clock.advance(1.1)
    with pytest.raises(WireError) as refused:
        await trust.payload(signed, TrustDomain.DEVICE, "path")
    assert refused.value.code == "IDA-MPA-001"
    for bad in ("", "a.b.c", sign_compact(b"{}", pair.key, [])):
        with pytest.raises(WireError):
            await trust.payload(bad, TrustDomain.DEVICE, "path")


async def test_upkeep_prunes_until_nothing_is_over(bench: Bench) -> None:
    past = bench.clock.now() - timedelta(hours=1)
    for number in range(1200):
        bench.tables.replays["bank", str(number), b""] = past
    upkeep = Upkeep(bench.store, bench.envelopes, bench.clock)
    assert await upkeep.prune_once() == 1200
    assert bench.tables.replays == {}


async def test_a_token_is_opened_once_in_minutes_and_stays_the_same(bench: Bench) -> None:
    _, vid = await bench.person()
    tokens = set()
    bench.vault.calls.clear()
    for number in range(3):
        call = bench.auth(vid, demographics=NAME, transaction_id=f"TRANSACT2{number}")
        tokens.add(json.loads((await bench.authenticate(call)).body)["response"]["authToken"])
    assert bench.vault.calls["decrypt"] == 1
    bench.clock.advance(301)
    call = bench.auth(vid, demographics=NAME)
    tokens.add(json.loads((await bench.authenticate(call)).body)["response"]["authToken"])
    assert bench.vault.calls["decrypt"] == 2
    assert len(tokens) == 1
    assert bench.tables.vids_used == []


async def test_a_kyc_answer_is_sealed_and_a_bad_certificate_is_told(bench: Bench) -> None:
    _, vid = await bench.person()
    call = bench.auth(vid, endpoint=Endpoint.KYC, demographics=NAME)
    answer = await bench.authenticate(call)
    response = json.loads(answer.body)["response"]
    assert response["kycStatus"] is True
    assert b"Anna" not in answer.body
    assert bench.tables.transactions[-1].factors == ("DEMO-AUTH", "EKYC-AUTH")
