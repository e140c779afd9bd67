from __future__ import annotations

import json
import time
from typing import Any

import pytest
from google.protobuf import json_format, message_factory, struct_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from idmesh.edge.v1 import check_pb2
from idmesh.partner.v1 import partner_service_pb2

from services.common.errors import InvalidArgument, PlatformError
from services.common.rpc import edge_check, json_body

POLICY = partner_service_pb2.PublishPolicyRequest.DESCRIPTOR
DETAILS = error_details_pb2.BadRequest.DESCRIPTOR  # messages in lists
METADATA = error_details_pb2.ErrorInfo.DESCRIPTOR  # a map
STRUCT = struct_pb2.Struct.DESCRIPTOR


@pytest.mark.parametrize(
    ("message", "document"),
    [
        (POLICY, {"policy": {"policy_id": "p", "validUntil": "2026-01-01T00:00:00Z"}}),
        (POLICY, {"policy": {"policyId": "p", "valid_until": None, "status": "STATUS_ACTIVE"}}),
        (POLICY, {"policy": {"status": 1}}),
        (POLICY, {"policy": None}),
        (POLICY, {}),
        (DETAILS, {"field_violations": [{"field": "a"}, {"localizedMessage": {"locale": "en"}}]}),
        (METADATA, {"metadata": {"any key": "value"}}),
        (STRUCT, {"any": [{"thing": 1}, None, "x", True]}),
    ],
)
def test_what_the_message_knows_is_let_through(
    message: Descriptor, document: dict[str, Any]
) -> None:
    json_body.check(message, "*", json.dumps(document).encode())
    json_format.ParseDict(document, _made(message))


@pytest.mark.parametrize(
    ("message", "text", "fields"),
    [
        (POLICY, '{"nonsense": 1}', ["nonsense"]),
        (POLICY, '{"policy": {"bogus": {"a": 1}}, "x": 1}', ["policy.bogus", "x"]),
        (POLICY, '{"policy": {}, "policy": {}}', ["policy"]),
        (POLICY, '{"policy": {"policyId": "a", "policy_id": "b"}}', ["policy.policy_id"]),
        (POLICY, '{"policy": {"PolicyId": "a"}}', ["policy.PolicyId"]),
        (POLICY, '{"policy": {"status": 99}}', ["policy.status"]),
        (POLICY, '{"policy": {"status": "STATUS_SURPRISING"}}', ["policy.status"]),
        (POLICY, '{"policy": {"status": true}}', ["policy.status"]),
        (POLICY, '{"policy": {"status": 1.0}}', ["policy.status"]),
        (POLICY, '{"policy": []}', ["policy"]),
        (POLICY, '{"policy": {"name": {"first": "a"}}}', ["policy.name"]),
        (POLICY, '{"policy": {"valid_until": {"seconds": 1}}}', ["policy.valid_until"]),
        (POLICY, "[]", [""]),
        (POLICY, '"text"', [""]),
        (DETAILS, '{"fieldViolations": [{}, {"x": 1}]}', ["field_violations[1].x"]),
        (DETAILS, '{"fieldViolations": {}}', ["field_violations"]),
        (METADATA, '{"metadata": {"secret": {}}}', ["metadata[*]"]),
        (METADATA, '{"metadata": {"secret": "1", "secret": "2"}}', ["metadata"]),
        (METADATA, '{"metadata": []}', ["metadata"]),
        (STRUCT, '{"a": {"b": 1, "b": 2}}', ["[*]"]),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(
    message: Descriptor, text: str, fields: list[str]
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        json_body.check(message, "*", text.encode())
    assert refused.value.reason == "REQUEST_INVALID"
    assert [violation.field for violation in refused.value.violations] == fields
    assert "secret" not in str(refused.value.violations)


@pytest.mark.parametrize("name", ["4957694814", "a b", "x" * 65, "né", "", "line1\\u0000"])
def test_a_name_that_could_be_data_is_not_repeated(name: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        json_body.check(POLICY, "*", f'{{"{name}": 1}}'.encode())
    assert refused.value.field == "[?]"


@pytest.mark.parametrize(
    "raw",
    [
        b"{bad",
        b"{'policy': {}}",
        b"{policy: {}}",
        b'{"policy": {},}',
        b'{"policy": NaN}',
        b'{"policy": {}} {"nonsense": 1}',
        b"/* */ {}",
        b'\xef\xbb\xbf{"policy": {}}',
        b'{"policy": {"name": "\xff"}}',
        '{"policy": {}}'.encode("utf-16"),
        b" ",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"1" * 5_000,
    ],
)
def test_what_is_no_strict_json_is_refused_whatever_a_lenient_parser_sees(raw: bytes) -> None:
    with pytest.raises(InvalidArgument) as refused:
        json_body.check(POLICY, "*", raw)
    assert refused.value.reason == "REQUEST_MALFORMED"


def test_nesting_has_an_end() -> None:
    deep = b'{"a":' * 50 + b"1" + b"}" * 50
    with pytest.raises(InvalidArgument) as refused:
        json_body.check(STRUCT, "*", deep)
    assert refused.value.violations[0].description == "is nested too deep"


def test_a_body_can_be_one_field_or_nothing() -> None:
    json_body.check(POLICY, "policy", b'{"policy_id": "p"}')
    json_body.check(POLICY, "", b"")
    json_body.check(POLICY, "*", b"")
    with pytest.raises(InvalidArgument) as refused:
        json_body.check(POLICY, "policy", b'{"policy": {}}')
    assert refused.value.field == "policy.policy"
    with pytest.raises(InvalidArgument) as refused:
        json_body.check(POLICY, "", b"{}")
    assert refused.value.reason == "REQUEST_MALFORMED"


def test_a_hostile_body_is_told_a_few_of_its_faults_in_little_time() -> None:
    body = b"{" + b",".join(b'"a%d":0' % number for number in range(20_000)) + b"}"
    began = time.process_time()
    with pytest.raises(InvalidArgument) as refused:
        json_body.check(POLICY, "*", body)
    assert len(refused.value.violations) == 16
    assert time.process_time() - began < 1.0


async def test_the_edge_is_answered_for_the_methods_of_the_server_only() -> None:
    service = partner_service_pb2.DESCRIPTOR.services_by_name["PartnerService"]
    path = "/idmesh.partner.v1.PartnerService/PublishPolicy"
    check = edge_check.BodyCheck({path: service.methods_by_name["PublishPolicy"]}).check
    fine = await check(_question(path, "*", b'{"policy": {}}'), None)
    assert (fine.status.code, fine.HasField("denied_response")) == (0, False)
    refused = await check(_question(path, "*", b'{"nonsense": 1}'), None)
    assert (refused.status.code, refused.denied_response.status.code) == (3, 400)
    told = json.loads(refused.denied_response.body)
    assert told["details"][0]["reason"] == "REQUEST_INVALID"
    assert told["details"][1]["fieldViolations"][0]["field"] == "nonsense"
    for question in (
        _question("/idmesh.partner.v1.PartnerService/GetPartner", "", b""),
        _question("", "", b""),
        _question(path, "no_such_field", b""),
        check_pb2.CheckRequest(),
    ):
        with pytest.raises(PlatformError, match="METHOD_UNKNOWN"):
            await check(question, None)
    altered = _question(path, "*", b"")
    altered.attributes.request.http.body = "{}"
    with pytest.raises(PlatformError, match="EDGE_MISCONFIGURED"):
        await check(altered, None)


def test_the_messages_have_envoys_field_numbers() -> None:
    # attributes.request.http.raw_body and attributes.context_extensions, as Envoy writes them.
    entry = b"\x0a\x01k\x12\x01v"
    http = b"\x62\x02{}"
    request = b"\x12" + bytes([len(http)]) + http
    attributes = b"\x22" + bytes([len(request)]) + request + b"\x52" + bytes([len(entry)]) + entry
    asked = check_pb2.CheckRequest.FromString(b"\x0a" + bytes([len(attributes)]) + attributes)
    assert asked.attributes.request.http.raw_body == b"{}"
    assert dict(asked.attributes.context_extensions) == {"k": "v"}
    denied = check_pb2.CheckResponse()
    denied.denied_response.status.code = 400
    denied.denied_response.body = "x"
    assert denied.SerializeToString() == b"\x12\x08\x0a\x03\x08\x90\x03\x1a\x01x"


def _question(method: str, body: str, raw: bytes) -> check_pb2.CheckRequest:
    asked = check_pb2.CheckRequest()
    asked.attributes.context_extensions.update({"method": method, "body": body})
    asked.attributes.request.http.raw_body = raw
    return asked


def _made(message: Descriptor) -> Message:
    return message_factory.GetMessageClass(message)()
