"""Who may operate the platform, and the tokens that say so.

Owns: operators (people and programs), their roles and credentials; who signs tokens; revocations.
Serves: AccessService (clients, key sets, what verifies tokens), OAuthService (RFC 6749, 7009, 7523,
7662, 8414), OperatorService (people: made, changed, logged in).
Stores: `operator` and its keys; `credentials`: passwords as Argon2id, second factors sealed under
core/transit/operator-factor; secrets, recovery codes and refresh tokens as keyed hashes under
core/transit/operator; attempts; `token_signer`, certified by core/transit/token-signer.
Puts on its feed: AuditRecorded.
Follows: nothing. Fetches the keys of issuers elsewhere, where some are configured.
"""
