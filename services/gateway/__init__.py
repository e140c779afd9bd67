"""MOSIP's partner API, byte for byte, and the OpenAPI document of all that the edge serves.

Owns: nothing. Keeps partners, policies, API keys, licences and trust anchors in memory, from
partner's feed, and is not ready before it has caught up.
Serves: idmesh.gateway.v1.GatewayService, to Envoy only.
Feed: none.
Follows: partner.
"""
