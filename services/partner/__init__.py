"""Partners: who relies on the platform, what they may ask, and how they are known.

Owns: partners, their certificates, trusted authorities, policies, API keys, licences.
Serves: PartnerService, CertificateService; to anybody CertificateStatusService.
Stores: one table for each, and what is revoked; API keys and licences only as keyed hashes.
Puts on its feed: PartnerChanged, PolicyChanged, ApiKeyChanged, LicenceChanged,
    CaCertificateAdded, CaCertificateRemoved, RevocationsChanged, AuditRecorded.
Follows: nothing.
"""
