"""The record of the state: who exists, under which UIN, with which VIDs.

Owns: UINs (drawn ahead, sealed), VIDs, identity records (sealed), their states.
Serves: IdentityService to processing and operators, VidService to operators, FeedService.
Stores: numbers only as Vault HMAC and Vault ciphertext, records only under a data key each.
Feed: IdentityPublished, IdentityStateChanged, VidChanged for authentication; audit records.
Follows: authentication (VidUsed).
"""
