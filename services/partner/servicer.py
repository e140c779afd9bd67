"""PartnerService, CertificateService and CertificateStatusService."""

from __future__ import annotations

from typing import Any

import grpc.aio
from google.api import httpbody_pb2
from idmesh.partner.v1 import certificate_service_pb2 as certificate_pb
from idmesh.partner.v1 import certificate_service_pb2_grpc, partner_service_pb2_grpc
from idmesh.partner.v1 import partner_service_pb2 as pb

from services.common import instants, roles
from services.partner import convert
from services.partner.domain import bundle
from services.partner.domain.partner import KeyHash, PartnerType, Reason, Status, TrustDomain
from services.partner.usecases.authorities import Authorities
from services.partner.usecases.certificates import Certificates
from services.partner.usecases.expiry import Expiry
from services.partner.usecases.partners import DEFAULT_PAGE_SIZE, Partners
from services.partner.usecases.permissions import Permissions
from services.partner.usecases.revocations import Revocations

PARTNER_ADMIN = "PARTNER_ADMIN"
CRL_MEDIA_TYPE = "application/pkix-crl"
AUTHORITIES = {
    "partner": TrustDomain.AUTH,
    "device": TrustDomain.DEVICE,
    "ftm": TrustDomain.FTM,
}
Context = grpc.aio.ServicerContext[Any, Any]


class PartnerServicer(partner_service_pb2_grpc.PartnerServiceServicer):
    """Administers partners; from the edge only for operators with the role PARTNER_ADMIN."""

    def __init__(
        self,
        partners: Partners,
        permissions: Permissions,
        authorities: Authorities,
        certificates: Certificates,
    ) -> None:
        self._partners = partners
        self._permissions = permissions
        self._authorities = authorities
        self._certificates = certificates

    async def CreatePartner(
        self, request: pb.CreatePartnerRequest, context: Context
    ) -> pb.CreatePartnerResponse:
        """Make a partner known."""
        roles.require(PARTNER_ADMIN)
        wanted = request.partner
        partner = await self._partners.create(
            wanted.partner_id, PartnerType(wanted.type), wanted.organisation, wanted.contact_email
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
        added = await self._authorities.add(TrustDomain(request.domain), request.certificate_pem)
        thumbprints = [authority.thumbprint for authority in added]
        return pb.AddCaCertificateResponse(thumbprint=thumbprints[-1], thumbprints=thumbprints)

    async def AddPartnerCertificate(
        self, request: pb.AddPartnerCertificateRequest, context: Context
    ) -> pb.AddPartnerCertificateResponse:
        """Keep a partner's certificate."""
        roles.require(PARTNER_ADMIN)
        kept, reissued = await self._certificates.add(
            request.partner_id,
            TrustDomain(request.domain),
            request.certificate_pem,
            csr_pem=request.csr_pem,
            replaced_until=instants.optional(request, "replaced_until"),
        )
        return pb.AddPartnerCertificateResponse(
            thumbprint=kept.thumbprint,
            valid_until=instants.to_proto(kept.usable_until),
            reissued=convert.reissued_to_proto(reissued) if reissued else None,
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

    async def RenewKeyHash(
        self, request: pb.RenewKeyHashRequest, context: Context
    ) -> pb.RenewKeyHashResponse:
        """Keep a key that was presented under the newer version of the look-up key."""
        new = KeyHash(request.new_lookup_key_version, request.new_lookup_key)
        await self._permissions.renew_hash(request.lookup_key, new)
        return pb.RenewKeyHashResponse()


class CertificateServicer(certificate_service_pb2_grpc.CertificateServiceServicer):
    """Administers certificates; from the edge only for operators with the role PARTNER_ADMIN."""

    def __init__(
        self,
        partners: Partners,
        authorities: Authorities,
        certificates: Certificates,
        revocations: Revocations,
        expiry: Expiry,
    ) -> None:
        self._partners = partners
        self._authorities = authorities
        self._certificates = certificates
        self._revocations = revocations
        self._expiry = expiry

    async def ListCaCertificates(
        self, request: certificate_pb.ListCaCertificatesRequest, context: Context
    ) -> certificate_pb.ListCaCertificatesResponse:
        """List authorities."""
        roles.require(PARTNER_ADMIN)
        domain = TrustDomain(request.domain) if request.domain else None
        page, token = await self._authorities.list(domain, request.page_size, request.page_token)
        return certificate_pb.ListCaCertificatesResponse(
            certificates=map(convert.authority_to_proto, page), next_page_token=token
        )

    async def GetTrustPath(
        self, request: certificate_pb.GetTrustPathRequest, context: Context
    ) -> certificate_pb.GetTrustPathResponse:
        """Return the path of a certificate."""
        roles.require(PARTNER_ADMIN)
        path = await self._authorities.path(TrustDomain(request.domain), request.certificate_pem)
        return certificate_pb.GetTrustPathResponse(
            thumbprints=map(convert.thumbprint_of, path),
            chain_pem=bundle.to_pem(path),
            chain_p7b=bundle.to_p7b(path),
        )

    async def SetCaCertificateStatus(
        self, request: certificate_pb.SetCaCertificateStatusRequest, context: Context
    ) -> certificate_pb.SetCaCertificateStatusResponse:
        """Switch an authority on or off."""
        roles.require(PARTNER_ADMIN)
        authority = await self._authorities.set_status(
            TrustDomain(request.domain), request.thumbprint, Status(request.status)
        )
        return certificate_pb.SetCaCertificateStatusResponse(
            certificate=convert.authority_to_proto(authority)
        )

    async def GetReissuedCertificate(
        self, request: certificate_pb.GetReissuedCertificateRequest, context: Context
    ) -> certificate_pb.GetReissuedCertificateResponse:
        """Return a certificate that we made."""
        roles.require(PARTNER_ADMIN)
        held = await self._certificates.reissued(request.partner_id, request.thumbprint)
        return certificate_pb.GetReissuedCertificateResponse(
            certificate=convert.reissued_to_proto(held)
        )

    async def RevokeCertificate(
        self, request: certificate_pb.RevokeCertificateRequest, context: Context
    ) -> certificate_pb.RevokeCertificateResponse:
        """Revoke a partner's key."""
        roles.require(PARTNER_ADMIN)
        partner = await self._certificates.revoke(
            request.partner_id, request.thumbprint, Reason(request.reason)
        )
        return certificate_pb.RevokeCertificateResponse(partner=convert.partner_to_proto(partner))

    async def SetCertificateEnd(
        self, request: certificate_pb.SetCertificateEndRequest, context: Context
    ) -> certificate_pb.SetCertificateEndResponse:
        """Set when a certificate stops being taken."""
        roles.require(PARTNER_ADMIN)
        partner = await self._certificates.set_end(
            request.partner_id,
            request.thumbprint,
            instants.from_proto(request.usable_until, "usable_until"),
        )
        return certificate_pb.SetCertificateEndResponse(partner=convert.partner_to_proto(partner))

    async def PutRevocationList(
        self, request: certificate_pb.PutRevocationListRequest, context: Context
    ) -> certificate_pb.PutRevocationListResponse:
        """Take in a revocation list."""
        roles.require(PARTNER_ADMIN)
        source = await self._revocations.put_list(
            TrustDomain(request.domain), request.revocation_list
        )
        return certificate_pb.PutRevocationListResponse(source=convert.source_to_proto(source))

    async def ListRevocationSources(
        self, request: certificate_pb.ListRevocationSourcesRequest, context: Context
    ) -> certificate_pb.ListRevocationSourcesResponse:
        """List where revocations are learnt from."""
        roles.require(PARTNER_ADMIN)
        sources = await self._revocations.sources(request.page_size or DEFAULT_PAGE_SIZE)
        return certificate_pb.ListRevocationSourcesResponse(
            sources=map(convert.source_to_proto, sources)
        )

    async def ListExpiringCertificates(
        self, request: certificate_pb.ListExpiringCertificatesRequest, context: Context
    ) -> certificate_pb.ListExpiringCertificatesResponse:
        """List certificates that end soon."""
        roles.require(PARTNER_ADMIN)
        found = await self._expiry.list(request.within_days, request.page_size)
        return certificate_pb.ListExpiringCertificatesResponse(
            certificates=[
                certificate_pb.ExpiringCertificate(
                    partner_id=partner.partner_id, certificate=convert.held_to_proto(held)
                )
                for partner, held in found
            ]
        )

    async def SetPartnerContact(
        self, request: certificate_pb.SetPartnerContactRequest, context: Context
    ) -> certificate_pb.SetPartnerContactResponse:
        """Set where warnings go."""
        roles.require(PARTNER_ADMIN)
        partner = await self._partners.set_contact(request.partner_id, request.contact_email)
        return certificate_pb.SetPartnerContactResponse(partner=convert.partner_to_proto(partner))


class CertificateStatusServicer(certificate_service_pb2_grpc.CertificateStatusServiceServicer):
    """Answers anybody."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates

    async def GetCrl(
        self, request: certificate_pb.GetCrlRequest, context: Context
    ) -> httpbody_pb2.HttpBody:
        """Return the revocation list of one of our authorities."""
        crl = await self._certificates.crl(AUTHORITIES[request.authority])
        return httpbody_pb2.HttpBody(content_type=CRL_MEDIA_TYPE, data=crl)
