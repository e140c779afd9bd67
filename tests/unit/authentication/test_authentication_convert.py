from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from idmesh.authentication.v1 import authentication_service_pb2
from idmesh.identity.v1 import identity_events_pb2, identity_pb2

from services.authentication import convert
from services.authentication.config import Config
from services.authentication.domain.individual import (
    IdentityState,
    LookupKey,
    Modality,
    VidState,
    VidType,
)
from services.authentication.domain.partner import Endpoint, SignedAnswer
from services.common.config import ConfigError, structure

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TABLE = {
    "listen": "127.0.0.1:0",
    "tls": {"folder": "/tls"},
    "vault": {
        "unix_socket": "/bao.sock",
        "role_id": "role",
        "secret_id_file": "/secret",
        "pki_role": "core/pki/authentication",
    },
    "postgres": {
        "host": "/pg",
        "database": "idmesh",
        "user": "authentication",
        "password_file": "/password",
    },
}


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_every_endpoint_has_its_number(endpoint: Endpoint) -> None:
    request = authentication_service_pb2.AuthenticatePartnerRequest(
        partner=authentication_service_pb2.VerifiedPartner(partner_id="bank", certificate=b"der"),
        endpoint=convert.endpoint_number(endpoint),  # type: ignore[arg-type]
        body=b"exact",
        signature="a..b",
    )
    call = convert.call_from_proto(request, NOW)
    assert (call.endpoint, call.body, call.signature) == (endpoint, b"exact", "a..b")
    assert call.received_at == NOW
    request.received_at.CopyFrom(convert.stamp(NOW.replace(year=2025)))
    assert convert.call_from_proto(request, NOW).received_at.year == 2025


def test_an_answer_keeps_its_bytes() -> None:
    response = convert.answer_to_proto(SignedAnswer(b"\x00exact", "a..b"))
    assert (response.body, response.response_signature) == (b"\x00exact", "a..b")


@pytest.mark.parametrize("state", list(IdentityState))
def test_an_identity_is_kept_as_delivered(state: IdentityState) -> None:
    identity_id = uuid4()
    event = identity_events_pb2.IdentityPublished(
        identity_id=identity_id.bytes,
        version=7,
        uin_lookup_key=b"k" * 32,
        lookup_key_version=3,
        record=identity_pb2.SealedForAuthentication(sealed=b"box", wrapped_key="vault:v1:w"),
        state=state.value,  # type: ignore[arg-type]
    )
    kept = convert.identity_from_event(event)
    assert (kept.identity_id, kept.version, kept.state) == (identity_id, 7, state)
    assert kept.uin_key == LookupKey(b"k" * 32, 3)
    assert (kept.sealed, kept.wrapped_key) == (b"box", "vault:v1:w")


def test_a_vid_without_end_or_limit_has_none() -> None:
    event = identity_events_pb2.VidChanged(
        identity_id=uuid4().bytes,
        vid_lookup_key=b"v" * 32,
        lookup_key_version=1,
        type=identity_pb2.VID_TYPE_ONE_TIME,
        state=identity_pb2.VID_STATE_ACTIVE,
    )
    kept = convert.vid_from_event(event)
    assert (kept.type, kept.state) == (VidType.ONE_TIME, VidState.ACTIVE)
    assert kept.expires_at is None
    assert kept.transactions_left is None
    event.transactions_left = 0
    event.expires_at.CopyFrom(convert.stamp(NOW))
    kept = convert.vid_from_event(event)
    assert (kept.transactions_left, kept.expires_at) == (0, NOW)


def test_a_use_of_a_vid_names_the_transaction() -> None:
    transaction_id = uuid4()
    event = convert.vid_used_to_event(LookupKey(b"v", 2), transaction_id, NOW)
    assert event.vid_lookup_key == b"v"
    assert event.lookup_key_version == 2
    assert event.transaction_id == transaction_id.bytes
    assert convert.instant(event.used_at) == NOW


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_record_is_read_with_and_without_mosips_outer_object(wrapped: bool) -> None:
    inner = '{"email":"a@b.c"}'
    record = identity_pb2.AuthenticationRecord(
        record=identity_pb2.IdentityRecord(
            demographics=f'{{"identity":{inner}}}' if wrapped else inner
        )
    )
    record.record.templates.add(modality=1, position=2, data=b"FMR")
    person = convert.person_from_record(record.SerializeToString())
    assert dict(person.demographics) == {"email": "a@b.c"}
    [template] = person.templates
    assert (template.modality, template.position, template.data) == (Modality.FINGER, 2, b"FMR")
    assert convert.person_from_record(b"").demographics == {}


def test_the_configuration_has_safe_defaults_and_refuses_what_it_does_not_know() -> None:
    config = structure(Config, TABLE, "services.authentication")
    assert (config.otp.length, config.otp.ttl_s, config.otp.max_failures) == (6, 180, 5)
    changed = structure(Config, TABLE | {"otp": {"ttl_s": 60}}, "services.authentication")
    assert changed.otp.ttl_s == 60
    with pytest.raises(ConfigError, match=r"services\.authentication\.otp\.tls"):
        structure(Config, TABLE | {"otp": {"tls": 60}}, "services.authentication")
