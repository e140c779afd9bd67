"""The operator at the keyboard: typed RPCs with mutual TLS as `operator-cli`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from idmesh.abis.v1 import abis_service_pb2_grpc
from idmesh.access.v1 import access_service_pb2_grpc
from idmesh.audit.v1 import audit_service_pb2_grpc
from idmesh.authentication.v1 import authentication_service_pb2, authentication_service_pb2_grpc
from idmesh.identity.v1 import identity_pb2, identity_service_pb2, identity_service_pb2_grpc
from idmesh.masterdata.v1 import (
    masterdata_pb2,
    masterdata_service_pb2,
    masterdata_service_pb2_grpc,
)
from idmesh.partner.v1 import (
    certificate_service_pb2_grpc,
    partner_pb2,
    partner_service_pb2,
    partner_service_pb2_grpc,
)
from idmesh.processing.v1 import processing_pb2, processing_service_pb2, processing_service_pb2_grpc

from services.common import rpc
from services.common.config import TlsConfig
from services.local.folder import DataFolder
from services.local.sandbox.device import FTM_PROVIDER, PROVIDER, CaptureDevice
from services.local.sandbox.keys import KeyPair, make_authority, make_key_pair
from services.local.sandbox.partner import Credentials
from services.local.topology import TRUST_DOMAIN

NAME = "operator-cli"

# A bank's: it may ask by any factor and receive the usual attributes.
POLICY: Mapping[str, Any] = {
    "authTokenType": "partner",
    "allowedAuthTypes": [
        {"authType": "demo", "mandatory": False},
        {"authType": "otp", "mandatory": False},
        {"authType": "otp-request", "mandatory": False},
        {"authType": "kyc", "mandatory": False},
        {"authType": "bio", "authSubType": "FINGER", "mandatory": False},
    ],
    "allowedKycAttributes": [
        {"attributeName": name}
        for name in ("fullName", "dateOfBirth", "gender", "phone", "email", "city", "postalCode")
    ],
    "kycLanguages": ["eng"],
}


class Operator:
    """Administers a mesh on this machine."""

    def __init__(self, folder: DataFolder, peers: Mapping[str, str]) -> None:
        tls = TlsConfig(
            folder=str(folder.tls), trust_domain=TRUST_DOMAIN, ca_file=str(folder.tls / "ca.pem")
        )
        self._channels = rpc.Channels(peers, tls, NAME)
        get = self._channels.get
        self.abis = abis_service_pb2_grpc.AbisServiceStub(get("abis"))
        self.access = access_service_pb2_grpc.AccessServiceStub(get("access"))
        self.people = access_service_pb2_grpc.OperatorServiceStub(get("access"))
        self.masterdata = masterdata_service_pb2_grpc.MasterdataServiceStub(get("masterdata"))
        self.audit = audit_service_pb2_grpc.AuditServiceStub(get("audit"))
        self.audit_log = audit_service_pb2_grpc.AuditLogServiceStub(get("audit"))
        self.partners = partner_service_pb2_grpc.PartnerServiceStub(get("partner"))
        self.certificates = certificate_service_pb2_grpc.CertificateServiceStub(get("partner"))
        self.processing = processing_service_pb2_grpc.ProcessingServiceStub(get("processing"))
        self.adjudication = processing_service_pb2_grpc.AdjudicationServiceStub(get("processing"))
        self.vids = identity_service_pb2_grpc.VidServiceStub(get("identity"))
        self.identity = identity_service_pb2_grpc.IdentityServiceStub(get("identity"))
        self.authentication = authentication_service_pb2_grpc.AuthenticationServiceStub(
            get("authentication")
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._channels.close()

    async def register_station(
        self, centre_id: str, machine_id: str, key: rsa.RSAPublicKey
    ) -> None:
        """Make a centre and a machine known."""
        centre = masterdata_pb2.Centre(centre_id=centre_id, name=f"Centre {centre_id}", active=True)
        await self.masterdata.PutCentre(masterdata_service_pb2.PutCentreRequest(centre=centre))
        machine = masterdata_pb2.Machine(
            machine_id=machine_id,
            centre_id=centre_id,
            name=f"Machine {machine_id}",
            signing_public_key=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            active=True,
        )
        await self.masterdata.PutMachine(masterdata_service_pb2.PutMachineRequest(machine=machine))

    async def onboard_partner(
        self, partner_id: str, policy: Mapping[str, Any] = POLICY
    ) -> Credentials:
        """Take an authentication partner and its MISP from nothing to working credentials."""
        authority = make_authority(f"{partner_id} root")
        await self._trust(partner_pb2.TRUST_DOMAIN_AUTH, authority)
        organisation, misp = f"Organisation of {partner_id}", f"{partner_id}-misp"
        await self._create(partner_id, partner_pb2.PARTNER_TYPE_AUTH, organisation)
        await self._create(misp, partner_pb2.PARTNER_TYPE_MISP, organisation)
        keys = make_key_pair(partner_id, organisation, authority)
        await self.partners.AddPartnerCertificate(
            partner_service_pb2.AddPartnerCertificateRequest(
                partner_id=partner_id,
                domain=partner_pb2.TRUST_DOMAIN_AUTH,
                certificate_pem=keys.pem,
            )
        )
        document = partner_pb2.Policy(
            policy_id=f"{partner_id}-policy",
            name=f"Policy of {partner_id}",
            document=json.dumps(policy),
        )
        await self.partners.PublishPolicy(partner_service_pb2.PublishPolicyRequest(policy=document))
        api_key = await self.partners.CreateApiKey(
            partner_service_pb2.CreateApiKeyRequest(
                partner_id=partner_id, policy_id=document.policy_id, label="main"
            )
        )
        licence = await self.partners.CreateLicence(
            partner_service_pb2.CreateLicenceRequest(partner_id=misp)
        )
        return Credentials(partner_id, keys, api_key.secret, licence.secret)

    async def onboard_device(self) -> CaptureDevice:
        """Trust a maker of devices and a maker of chips, and return a device of theirs."""
        devices, chips = make_authority("device root"), make_authority("chip root")
        await self._trust(partner_pb2.TRUST_DOMAIN_DEVICE, devices)
        await self._trust(partner_pb2.TRUST_DOMAIN_FTM, chips)
        return CaptureDevice(
            device=make_key_pair("device", PROVIDER, devices),
            chip=make_key_pair("chip", FTM_PROVIDER, chips),
        )

    async def open_cases(self) -> Sequence[processing_pb2.Case]:
        """Return the cases that wait for a decision, oldest first."""
        answer = await self.adjudication.ListCases(processing_service_pb2.ListCasesRequest())
        return answer.cases

    async def decide(
        self, case_id: str, decision: processing_pb2.Decision.ValueType, reason: str
    ) -> None:
        """View a case and decide it."""
        await self.adjudication.GetCase(processing_service_pb2.GetCaseRequest(case_id=case_id))
        await self.adjudication.DecideCase(
            processing_service_pb2.DecideCaseRequest(
                case_id=case_id, decision=decision, reason=reason
            )
        )

    async def registration(
        self, registration_id: str
    ) -> processing_service_pb2.GetRegistrationResponse:
        """Return where a registration stands and how it came there."""
        return await self.processing.GetRegistration(
            processing_service_pb2.GetRegistrationRequest(registration_id=registration_id)
        )

    async def revoke_vid(self, vid: str) -> identity_pb2.Vid:
        """Revoke a VID and return the one that replaces it."""
        answer = await self.vids.RevokeVid(identity_service_pb2.RevokeVidRequest(vid=vid))
        return answer.replacement

    async def identities_followed(self) -> int:
        """Return how many individuals authentication can answer for."""
        answer = await self.authentication.GetFollowing(
            authentication_service_pb2.GetFollowingRequest()
        )
        return answer.identities

    async def _create(
        self, partner_id: str, kind: partner_pb2.PartnerType.ValueType, organisation: str
    ) -> None:
        partner = partner_pb2.Partner(partner_id=partner_id, type=kind, organisation=organisation)
        await self.partners.CreatePartner(partner_service_pb2.CreatePartnerRequest(partner=partner))

    async def _trust(self, domain: partner_pb2.TrustDomain.ValueType, authority: KeyPair) -> None:
        await self.partners.AddCaCertificate(
            partner_service_pb2.AddCaCertificateRequest(
                domain=domain, certificate_pem=authority.pem
            )
        )
