from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.local import descriptors, edge_api, envoy, topology
from services.local.folder import DataFolder
from services.local.ports import Ports
from services.local.problems import Problem


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> list[edge_api.Method]:
    path = tmp_path_factory.mktemp("protos") / "idmesh.pb"
    descriptors.write(path)
    return edge_api.read(path)


@pytest.fixture(scope="module")
def document(methods: list[edge_api.Method]) -> dict[str, Any]:
    edge = envoy.Edge(
        DataFolder(Path("/data")), Ports(7000), Path("/envoy"), Path("/data/config/idmesh.pb")
    )
    return envoy.bootstrap(edge, methods)


def manager(document: dict[str, Any]) -> dict[str, Any]:
    listener = document["static_resources"]["listeners"][0]
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def filters(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"].rpartition(".")[2]: each["typed_config"]
            for each in manager(document)["http_filters"]}  # fmt: skip


def test_only_what_names_the_edge_as_caller_is_reachable(methods: list[edge_api.Method]) -> None:
    paths = {method.path for method in methods}
    assert "/idmesh.gateway.v1.GatewayService/Authenticate" in paths
    assert "/idmesh.registration.v1.RegistrationService/UploadPacket" in paths
    assert not [path for path in paths if "/idmesh.abis." in path or "FeedService" in path]
    assert "/idmesh.registration.v1.RegistrationService/DownloadPacket" not in paths
    assert {method.owner for method in methods} <= set(topology.services())


def routes(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manager(document)["route_config"]["virtual_hosts"][0]["routes"]
    return found


def test_every_route_is_one_exact_rpc_of_the_service_that_owns_it(
    document: dict[str, Any], methods: list[edge_api.Method]
) -> None:
    exact = {
        route["match"]["path"]: route for route in routes(document) if "path" in route["match"]
    }
    for method in methods:
        assert exact[method.path]["route"]["cluster"] == f"service_{method.owner}"
        assert exact[method.path]["name"] == method.path
    assert len(exact) == len(methods) + 1
    assert [route for route in routes(document) if "route" in route] == [
        exact[method.path] for method in methods
    ]


def test_no_body_comes_to_the_transcoder_without_its_service_asked_or_its_bytes_kept(
    document: dict[str, Any], methods: list[edge_api.Method]
) -> None:
    by_regex = [route for route in routes(document) if "safe_regex" in route["match"]]
    assert len(by_regex) == sum(len(method.bindings) for method in methods)
    owners = {method.path: method for method in methods}
    for route in by_regex:
        check = route["typed_per_filter_config"]["envoy.filters.http.ext_authz"]
        if route["match"]["safe_regex"]["regex"].startswith(("/idauthentication/", "/oauth2/")):
            assert check["disabled"] is True
            continue
        asked = check["check_settings"]
        assert asked["context_extensions"]["method"] == route["name"]
        cluster = asked["grpc_service"]["envoy_grpc"]["cluster_name"]
        assert cluster == f"service_{owners[route['name']].owner}"
    last = routes(document)[-1]
    assert last["match"] == {"prefix": "/"}
    assert last["direct_response"] == {"status": 404}
    transcoder = "envoy.filters.http.grpc_json_transcoder"
    assert last["typed_per_filter_config"][transcoder]["disabled"] is True


def test_a_body_that_cannot_be_asked_about_is_not_let_in(document: dict[str, Any]) -> None:
    check = filters(document)["ext_authz"]
    assert check["failure_mode_allow"] is False
    assert check["with_request_body"]["allow_partial_message"] is False
    assert check["with_request_body"]["pack_as_bytes"] is True
    order = list(filters(document))
    assert order.index("buffer") < order.index("ext_authz") < order.index("grpc_json_transcoder")


@pytest.mark.parametrize(
    ("template", "path", "matches"),
    [
        ("/v1/partners/{partner_id}", "/v1/partners/p-1", True),
        ("/v1/partners/{partner_id}", "/v1/partners/p-1:setStatus", False),
        ("/v1/partners/{partner_id}", "/v1/partners/a/b", False),
        ("/v1/partners/{partner_id}", "/v1/partners/", False),
        ("/v1/centres/{centre.centre_id}", "/v1/centres/1", True),
        ("/v1/api-keys/{key_id}:setStatus", "/v1/api-keys/k:setStatus", True),
        ("/v1/api-keys/{key_id}:setStatus", "/v1/api-keys/k", False),
        ("/openapi.json", "/openapi_json", False),
        ("/v1/log/{level}/{path=**}", "/v1/log/0/x001/234.p/17", True),
        ("/v1/log/{level}/{path=**}", "/v1/log/0/000", True),
        ("/v1/log/{level}/{path=**}", "/v1/log/0", False),
        ("/v1/log/{level}/{path=**}", "/v1/log/0/", False),
        ("/v1/log/{level}/{path=**}", "/v1/log/0/000/x:y", False),
    ],
)
def test_a_rest_path_is_matched_as_a_whole(template: str, path: str, *, matches: bool) -> None:
    binding = edge_api.Binding("POST", template, "*", raw=False)
    assert bool(re.fullmatch(binding.path_regex, path)) is matches


def test_mosips_bodies_and_oauths_forms_are_known_as_raw(methods: list[edge_api.Method]) -> None:
    raw = {method.name for method in methods for binding in method.bindings if binding.raw}
    assert raw == {
        *("Authenticate", "AuthenticateKyc", "RequestOtp"),
        *("Token", "Revoke", "Introspect"),
    }


def test_every_rpc_demands_an_operator_but_those_that_check_callers_themselves(
    document: dict[str, Any], methods: list[edge_api.Method]
) -> None:
    guarded = {rule["match"]["path"] for rule in filters(document)["jwt_authn"]["rules"]}
    for method in methods:
        # All of access is on the way to a token.
        free = method.owner in {"gateway", "registration", "access"} or method.name in {
            *("GetCheckpoint", "GetTile", "GetConsistencyProof", "GetVerifierKeys"),
            "GetCrl",
        }
        assert (method.path in guarded) is not free, method.path


def test_every_name_in_the_list_of_free_rpcs_exists(methods: list[edge_api.Method]) -> None:
    known = {method.grpc_service for method in methods}
    known |= {f"{method.grpc_service}/{method.name}" for method in methods}
    assert known >= edge_api.WITHOUT_OPERATOR


def test_an_upstream_must_be_the_very_service(document: dict[str, Any]) -> None:
    for cluster in document["static_resources"]["clusters"]:
        tls = cluster["transport_socket"]["typed_config"]
        names = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
        parameters = tls["common_tls_context"]["tls_params"]
        assert parameters["tls_minimum_protocol_version"] == "TLSv1_3"
        assert parameters["tls_maximum_protocol_version"] == "TLSv1_3"
        assert len(names) == 1
        if cluster["name"].startswith("service_"):
            service = cluster["name"].removeprefix("service_")
            assert names[0]["matcher"] == {"exact": f"spiffe://idmesh.local/{service}"}
            assert tls["sni"] == f"{service}.idmesh"


def test_everything_listens_on_loopback_only(document: dict[str, Any]) -> None:
    addresses = [document["admin"]["address"]["socket_address"]["address"]]
    addresses += [
        listener["address"]["socket_address"]["address"]
        for listener in document["static_resources"]["listeners"]
    ]
    assert set(addresses) == {"127.0.0.1"}


def test_no_path_query_or_address_is_logged(document: dict[str, Any]) -> None:
    text = json.dumps(manager(document)["access_log"])
    for forbidden in (":PATH", "X-ENVOY-ORIGINAL-PATH", "REFERER", "REMOTE_ADDRESS", "PATH("):
        assert forbidden not in text.upper()
    assert "tracing" not in manager(document)


def test_headers_of_the_edge_are_taken_from_clients_before_anything_reads_them(
    document: dict[str, Any],
) -> None:
    first = manager(document)["http_filters"][0]
    removed = first["typed_config"]["mutations"]["request_mutations"]
    assert first["name"] == "envoy.filters.http.header_mutation"
    assert removed[0]["remove_on_match"]["key_matcher"]["prefix"] == "x-idmesh-"
    assert {"remove": "x-forwarded-client-cert"} in removed
    assert manager(document)["forward_client_cert_details"] == "SANITIZE"


def test_bodies_are_bounded_but_for_streams(methods: list[edge_api.Method]) -> None:
    by_name = {method.name: method for method in methods}
    assert by_name["Authenticate"].largest_body == 1024 * 1024
    assert by_name["SyncRegistrations"].largest_body == 4 * 1024 * 1024
    assert by_name["UploadPacket"].largest_body == 0


def test_tokens_are_checked_after_transcoding_so_one_rule_holds_for_all(
    document: dict[str, Any],
) -> None:
    order = list(filters(document))
    assert order.index("grpc_json_transcoder") < order.index("jwt_authn") < order.index("router")
    assert order.index("buffer") < order.index("grpc_json_transcoder")


def test_a_missing_descriptor_set_is_said_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="make stubs"):
        edge_api.read(tmp_path / "absent.pb")


def test_the_descriptor_set_holds_the_types_of_error_details(tmp_path: Path) -> None:
    from google.protobuf import descriptor_pb2

    descriptors.write(tmp_path / "idmesh.pb")
    files = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "idmesh.pb").read_bytes()).file
    seen: set[str] = set()
    for file in files:
        assert set(file.dependency) <= seen, file.name
        seen.add(file.name)
    assert {"google/rpc/error_details.proto", "google/rpc/status.proto"} <= seen
