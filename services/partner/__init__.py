"""Partners: who relies on the platform, what they may ask, and how they are known.

Owns: partners, their certificates, trusted authorities, policies, API keys, licences.
Serves: PartnerService.
Stores: one table for each; API keys and licences only as keyed hashes.
Puts on its feed: PartnerChanged, PolicyChanged, ApiKeyChanged, LicenceChanged,
    CaCertificateAdded, AuditRecorded.
Follows: nothing.
"""
