"""Who may operate the platform, and the tokens that say so.

Owns: operators and their roles; the public keys that verify tokens.
Serves: AccessService (OAuth 2.0 client credentials, JWKS).
Stores: `operator`; secrets only as keyed hashes under core/transit/operator.
Puts on its feed: AuditRecorded.
Follows: nothing.
"""
