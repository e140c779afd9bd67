"""Answers "is this that person?" from its own encrypted copy of what it needs.

Owns: transactions, replay rows, one-time passwords and their limits, partner-specific tokens, the
certificates of the envelope keys; a sealed copy of identities and VIDs.
Serves: idmesh.authentication.v1.AuthenticationService, its feed.
Feed: VidUsed for identity, AuditRecorded for audit.
Follows: identity (identities, VIDs), partner (policies, trust anchors, names).
"""
