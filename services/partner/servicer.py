"""PartnerService."""

from __future__ import annotations

from typing import Any

import grpc.aio
from idmesh.partner.v1 import partner_service_pb2 as pb
from idmesh.partner.v1 import partner_service_pb2_grpc

from services.common import instants, roles
from services.partner import convert
from services.partner.domain.partner import PartnerType, Status, TrustDomain
from services.partner.usecases.partners import Partners
from services.partner.usecases.permissions import Permissions

PARTNER_ADMIN = "PARTNER_ADMIN"
Context = grpc.aio.ServicerContext[Any, Any]


class PartnerServicer(partner_service_pb2_grpc.PartnerServiceServicer):
    """Administers partners; from the edge only for operators with the role PARTNER_ADMIN."""

    def __init__(self, partners: Partners, permissions: Permissions) -> None:
        self._partners = partners
        self._permissions = permissions

    async def CreatePartner(
        self, request: pb.CreatePartnerRequest, context: Context
    ) -> pb.CreatePartnerResponse:
        """Make a partner known."""
        roles.require(PARTNER_ADMIN)
        wanted = request.partner
        partner = await self._partners.create(
            wanted.partner_id, PartnerType(wanted.type), wanted.organisation
        )
        return pb.CreatePartnerResponse(partner=convert.partner_to_proto(partner))

    async def GetPartner(
        self, request: pb.GetPartnerRequest, context: Context
    ) -> pb.GetPartnerResponse:
        """Return a partner with its keys and licences."""
        roles.require(PARTNER_ADMIN)
        partner, api_keys, licences = await self._partners.get(request.partner_id)
        return pb.GetPartnerResponse(
            partner=convert.partner_to_proto(partner),
            api_keys=map(convert.api_key_to_proto, api_keys),
            licences=map(convert.licence_to_proto, licences),
        )

    async def ListPartners(
        self, request: pb.ListPartnersRequest, context: Context
    ) -> pb.ListPartnersResponse:
        """List partners."""
        roles.require(PARTNER_ADMIN)
        page, token = await self._partners.list(request.page_size, request.page_token)
        return pb.ListPartnersResponse(
            partners=map(convert.partner_to_proto, page), next_page_token=token
        )

    async def SetPartnerStatus(
        self, request: pb.SetPartnerStatusRequest, context: Context
    ) -> pb.SetPartnerStatusResponse:
        """Let a partner in or keep it out."""
        roles.require(PARTNER_ADMIN)
        partner = await self._partners.set_status(request.partner_id, Status(request.status))
        return pb.SetPartnerStatusResponse(partner=convert.partner_to_proto(partner))

    async def AddCaCertificate(
        self, request: pb.AddCaCertificateRequest, context: Context
    ) -> pb.AddCaCertificateResponse:
        """Trust a certificate authority."""
        roles.require(PARTNER_ADMIN)
        thumbprint = await self._partners.add_authority(
            TrustDomain(request.domain), request.certificate_pem
        )
        return pb.AddCaCertificateResponse(thumbprint=thumbprint)

    async def AddPartnerCertificate(
        self, request: pb.AddPartnerCertificateRequest, context: Context
    ) -> pb.AddPartnerCertificateResponse:
        """Keep a partner's certificate."""
        roles.require(PARTNER_ADMIN)
        kept = await self._partners.add_certificate(
            request.partner_id, TrustDomain(request.domain), request.certificate_pem
        )
        return pb.AddPartnerCertificateResponse(
            thumbprint=kept.thumbprint, valid_until=instants.to_proto(kept.valid_until)
        )

    async def PublishPolicy(
        self, request: pb.PublishPolicyRequest, context: Context
    ) -> pb.PublishPolicyResponse:
        """Publish a policy."""
        roles.require(PARTNER_ADMIN)
        wanted = request.policy
        policy = await self._permissions.publish_policy(
            wanted.policy_id,
            wanted.name,
            wanted.document,
            instants.optional(wanted, "valid_until", "policy.valid_until"),
        )
        return pb.PublishPolicyResponse(policy=convert.policy_to_proto(policy))

    async def SetPolicyStatus(
        self, request: pb.SetPolicyStatusRequest, context: Context
    ) -> pb.SetPolicyStatusResponse:
        """Put a policy in or out of force."""
        roles.require(PARTNER_ADMIN)
        status = Status(request.status)
        policy = await self._permissions.set_policy_status(request.policy_id, status)
        return pb.SetPolicyStatusResponse(policy=convert.policy_to_proto(policy))

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        """Map a partner to a policy."""
        roles.require(PARTNER_ADMIN)
        api_key, secret = await self._permissions.create_api_key(
            request.partner_id,
            request.policy_id,
            request.label,
            instants.optional(request, "expires_at"),
        )
        return pb.CreateApiKeyResponse(api_key=convert.api_key_to_proto(api_key), secret=secret)

    async def SetApiKeyStatus(
        self, request: pb.SetApiKeyStatusRequest, context: Context
    ) -> pb.SetApiKeyStatusResponse:
        """Let an API key be used or not."""
        roles.require(PARTNER_ADMIN)
        status = Status(request.status)
        api_key = await self._permissions.set_api_key_status(request.key_id, status)
        return pb.SetApiKeyStatusResponse(api_key=convert.api_key_to_proto(api_key))

    async def CreateLicence(
        self, request: pb.CreateLicenceRequest, context: Context
    ) -> pb.CreateLicenceResponse:
        """Make a licence for a MISP."""
        roles.require(PARTNER_ADMIN)
        licence, secret = await self._permissions.create_licence(
            request.partner_id, instants.optional(request, "expires_at")
        )
        return pb.CreateLicenceResponse(licence=convert.licence_to_proto(licence), secret=secret)

    async def SetLicenceStatus(
        self, request: pb.SetLicenceStatusRequest, context: Context
    ) -> pb.SetLicenceStatusResponse:
        """Let a licence be used or not."""
        roles.require(PARTNER_ADMIN)
        status = Status(request.status)
        licence = await self._permissions.set_licence_status(request.licence_id, status)
        return pb.SetLicenceStatusResponse(licence=convert.licence_to_proto(licence))
