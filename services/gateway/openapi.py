"""The OpenAPI 3.1 document of what the edge serves, made from the protos' own descriptors.

Typed RPCs come from their google.api.http rules; MOSIP's paths, whose bodies protos do not
describe, from mosip_paths.json beside this file.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import idmesh
from google.api import annotations_pb2
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
)
from idmesh.options.v1 import options_pb2

_EDGE = "envoy"
_PATH_FIELD = re.compile(r"\{([a-z_.]+)(?:=[^}]*)?\}")
_HTTP_BODY = "google.api.HttpBody"
_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_SINT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0},
    # JSON of protos writes 64 bits as text.
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64"},
}
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?s$"},
    "google.protobuf.Any": {"type": "object", "properties": {"@type": {"type": "string"}}},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Empty": {"type": "object"},
    _HTTP_BODY: {"type": "string", "contentMediaType": "application/octet-stream"},
}
_ERROR = {
    "type": "object",
    "description": "google.rpc.Status; details carry google.rpc.ErrorInfo with the reason.",
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
}


def service_files() -> list[FileDescriptor]:
    """Return the files of all services whose stubs are installed, by name."""
    found = []
    for module in pkgutil.walk_packages(idmesh.__path__, "idmesh."):
        if module.name.endswith("_service_pb2"):
            found.append(importlib.import_module(module.name).DESCRIPTOR)
    return sorted(found, key=lambda file: str(file.name))


def document(files: Sequence[FileDescriptor]) -> dict[str, Any]:
    """Return the document for every RPC that the edge may call and that has an HTTP rule."""
    schemas = Schemas()
    paths: dict[str, dict[str, Any]] = {}
    for method in _methods(files):
        for number, (verb, template, body) in enumerate(_rules(method)):
            path = _PATH_FIELD.sub(r"{\1}", template)
            operation = _operation(method, template, body, schemas)
            if number:
                operation["operationId"] += f".{number + 1}"
            paths.setdefault(path, {})[verb] = operation
    mosip = json.loads(
        resources.files(__package__).joinpath("mosip_paths.json").read_text(encoding="utf-8")
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "idmesh", "version": "1"},
        "paths": dict(sorted((paths | mosip["paths"]).items())),
        "components": {
            "schemas": dict(sorted((schemas.found | mosip["schemas"]).items())) | {"Error": _ERROR},
            "securitySchemes": {"operator": {"type": "http", "scheme": "bearer"}},
        },
    }


def _methods(files: Sequence[FileDescriptor]) -> Iterable[MethodDescriptor]:
    for file in files:
        for service in file.services_by_name.values():
            for method in service.methods:
                if _EDGE in method.GetOptions().Extensions[options_pb2.callers]:
                    yield method


def _rules(method: MethodDescriptor) -> Iterable[tuple[str, str, str]]:
    """Yield verb, path template and body field of each binding."""
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    rule = options.Extensions[annotations_pb2.http]
    for binding in (rule, *rule.additional_bindings):
        verb = binding.WhichOneof("pattern")
        if verb in ("get", "put", "post", "delete", "patch"):
            yield verb, getattr(binding, verb), binding.body


def _operation(
    method: MethodDescriptor, template: str, body: str, schemas: Schemas
) -> dict[str, Any]:
    service = method.containing_service
    in_path = _PATH_FIELD.findall(template)
    operation: dict[str, Any] = {
        "operationId": f"{service.name}.{method.name}",
        "tags": [service.name],
        "parameters": [*_path_parameters(in_path)],
        "responses": {
            "200": {"description": "OK", "content": _content(method.output_type, schemas)},
            "default": {
                "description": "An error",
                "content": {"application/json": {"schema": _reference("Error")}},
            },
        },
    }
    fields = [field for field in method.input_type.fields if field.name not in in_path]
    if body == "*":
        schema = schemas.of_message(method.input_type)
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    elif body:
        schema = schemas.of_field(method.input_type.fields_by_name[body])
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    else:
        operation["parameters"] += _query_parameters(fields, schemas)
    return operation


def _path_parameters(names: Iterable[str]) -> Iterable[dict[str, Any]]:
    for name in names:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(fields: Iterable[FieldDescriptor], schemas: Schemas) -> list[dict[str, Any]]:
    """Return a parameter for each field; one of a message has its fields as name.field."""
    parameters: list[dict[str, Any]] = []
    for field in fields:
        message = field.message_type
        if message is None or message.full_name in _WELL_KNOWN:
            schema = schemas.of_field(field)
            parameters.append({"name": field.json_name, "in": "query", "schema": schema})
        elif not field.is_repeated:
            for inner in _query_parameters(message.fields, schemas):
                parameters.append(inner | {"name": f"{field.json_name}.{inner['name']}"})
    return parameters


def _content(message: Descriptor, schemas: Schemas) -> dict[str, Any]:
    if message.full_name == _HTTP_BODY:
        return {"*/*": {"schema": dict(_WELL_KNOWN[_HTTP_BODY])}}
    return {"application/json": {"schema": schemas.of_message(message)}}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


class Schemas:
    """The schemas of all messages met so far."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def of_message(self, message: Descriptor) -> dict[str, Any]:
        """Return a reference, having described the message once."""
        if message.full_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[message.full_name])
        name = message.full_name
        if name not in self.found:
            # Before its fields, for a message may hold itself.
            self.found[name] = {"type": "object"}
            self.found[name]["properties"] = {
                field.json_name: self.of_field(field) for field in message.fields
            }
        return _reference(name)

    def of_field(self, field: FieldDescriptor) -> dict[str, Any]:
        """Return the schema of a field, repeated or map included."""
        message = field.message_type
        if message is not None and message.GetOptions().map_entry:
            value = self.of_field(message.fields_by_name["value"])
            return {"type": "object", "additionalProperties": value}
        single = self._of_single(field)
        return {"type": "array", "items": single} if field.is_repeated else single

    def _of_single(self, field: FieldDescriptor) -> dict[str, Any]:
        if field.message_type is not None:
            return self.of_message(field.message_type)
        if field.enum_type is not None:
            return self._of_enum(field.enum_type)
        return dict(_SCALARS[field.type])

    def _of_enum(self, enum: EnumDescriptor) -> dict[str, Any]:
        name = enum.full_name
        self.found[name] = {"type": "string", "enum": [value.name for value in enum.values]}
        return _reference(name)
