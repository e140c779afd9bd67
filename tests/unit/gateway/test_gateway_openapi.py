from __future__ import annotations

import json
import re

from google.protobuf import descriptor_pb2, descriptor_pool
from idmesh.gateway.v1 import gateway_service_pb2
from idmesh.partner.v1 import partner_service_pb2

from services.gateway import openapi


def test_every_reference_leads_somewhere_and_every_path_parameter_is_described() -> None:
    document = openapi.document(openapi.service_files())
    schemas = document["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in schemas, name
    for path, operations in document["paths"].items():
        for operation in operations.values():
            described = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert described == set(re.findall(r"\{([^}]+)\}", path)), path


def test_operation_ids_are_unique() -> None:
    document = openapi.document(openapi.service_files())
    ids = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]
    assert len(ids) == len(set(ids))


def test_mosips_paths_replace_the_generated_ones() -> None:
    document = openapi.document([gateway_service_pb2.DESCRIPTOR])
    auth = document["paths"]["/idauthentication/v1/auth/{misp_licence_key}/{partner_id}/{api_key}"]
    schema = auth["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/MosipAuthRequest"}
    headers = [p["name"] for p in auth["post"]["parameters"] if p["in"] == "header"]
    assert headers == ["signature", "Authorization"]
    assert set(document["paths"]) > {"/openapi.json"}


def test_queries_bodies_and_types_follow_the_proto() -> None:
    document = openapi.document([partner_service_pb2.DESCRIPTOR])
    listing = document["paths"]["/v1/partners"]["get"]
    assert {p["name"]: p["schema"]["type"] for p in listing["parameters"]} == {
        "pageSize": "integer",
        "pageToken": "string",
    }
    created = document["paths"]["/v1/partners"]["post"]
    body = created["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/idmesh.partner.v1.CreatePartnerRequest"}
    partner = document["components"]["schemas"]["idmesh.partner.v1.Partner"]["properties"]
    assert partner["certificates"] == {
        "type": "array",
        "items": {"type": "string", "contentEncoding": "base64"},
    }
    assert partner["changedAt"] == {"type": "string", "format": "date-time"}
    status = document["components"]["schemas"]["idmesh.partner.v1.Status"]
    assert status["enum"][0] == "STATUS_UNSPECIFIED"


def test_messages_that_hold_themselves_and_maps_are_described() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="test_tree.proto", package="test.tree")
    node = file.message_type.add(name="Node")
    field = descriptor_pb2.FieldDescriptorProto
    node.field.add(
        name="below", number=1, type=field.TYPE_MESSAGE, type_name=".test.tree.Node",
        label=field.LABEL_REPEATED,
    )  # fmt: skip
    node.field.add(
        name="labels", number=2, type=field.TYPE_MESSAGE,
        type_name=".test.tree.Node.LabelsEntry", label=field.LABEL_REPEATED,
    )  # fmt: skip
    entry = node.nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    for number, name in ((1, "key"), (2, "value")):
        entry.field.add(
            name=name, number=number, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    schemas = openapi.Schemas()
    schemas.of_message(pool.FindMessageTypeByName("test.tree.Node"))
    assert schemas.found["test.tree.Node"]["properties"] == {
        "below": {"type": "array", "items": {"$ref": "#/components/schemas/test.tree.Node"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }
