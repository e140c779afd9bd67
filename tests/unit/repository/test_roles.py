"""Whoever comes through the edge proves a right, at every RPC that the edge may call."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from idmesh.options.v1 import options_pb2

from services.access.domain.operator import ROLES
from services.common.errors import PermissionDenied
from services.common.rpc.call import Call, enter
from tests.unit.repository.test_layout import NOT_SERVICES, packages

# These authenticate by other means (a machine's token, a partner's signature, an operator's
# secret), or answer anybody: what may be verified of the audit log, revocation lists.
OTHERWISE = {
    "idmesh.registration.v1.RegistrationService",
    "idmesh.gateway.v1.GatewayService",
    "idmesh.access.v1.AccessService",
    "idmesh.audit.v1.AuditLogService",
    "idmesh.partner.v1.CertificateStatusService",
    "idmesh.access.v1.OAuthService",
    "idmesh.access.v1.OperatorService",
}


def guarded() -> Iterator[tuple[type[Any], MethodDescriptor]]:
    """Yield each RPC that an operator may call from outside, with the class that serves it."""
    for service in sorted(packages() - NOT_SERVICES):
        module = importlib.import_module(f"services.{service}.servicer")
        for kind in (one for _, one in inspect.getmembers(module, inspect.isclass)):
            base = next((b for b in kind.__bases__ if b.__name__.endswith("ServiceServicer")), None)
            if base is None:
                continue
            stub = importlib.import_module(base.__module__.removesuffix("_grpc"))
            name = base.__name__.removesuffix("Servicer")
            served = stub.DESCRIPTOR.services_by_name[name]
            for method in served.methods if served.full_name not in OTHERWISE else ():
                if "envoy" in method.GetOptions().Extensions[options_pb2.callers]:
                    yield kind, method


RPCS = list(guarded())


def a_call(method: MethodDescriptor, *roles: str) -> Call:
    return Call("envoy", "0" * 32, None, "ada", frozenset(roles), method.full_name)


@pytest.mark.parametrize(("kind", "method"), RPCS, ids=lambda each: getattr(each, "name", ""))
async def test_an_operator_without_a_role_is_refused_before_anything_is_done(
    kind: type[Any], method: MethodDescriptor
) -> None:
    # It has nothing to do anything with: whatever it reached for first would be missing.
    bare = object.__new__(kind)
    request = message_factory.GetMessageClass(method.input_type)()
    for roles in ((), ("OTHER",)):
        enter(a_call(method, *roles))
        with pytest.raises(PermissionDenied) as refused:
            await getattr(bare, method.name)(request, None)
        assert refused.value.reason == "ROLE_MISSING"


@pytest.mark.parametrize(("kind", "method"), RPCS, ids=lambda each: getattr(each, "name", ""))
async def test_there_is_a_role_that_opens_it(kind: type[Any], method: MethodDescriptor) -> None:
    request = message_factory.GetMessageClass(method.input_type)()
    enter(a_call(method, *ROLES))
    with pytest.raises((AttributeError, ValueError, KeyError)):
        await getattr(object.__new__(kind), method.name)(request, None)


def test_all_five_services_for_operators_are_looked_at() -> None:
    assert {method.full_name.split(".")[1] for _, method in RPCS} == {
        "audit",
        "identity",
        "masterdata",
        "partner",
        "processing",
    }
