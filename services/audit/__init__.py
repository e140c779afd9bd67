"""The log of all acts in the mesh.

Owns: the records, in one order without gaps; the Merkle tree over them in tiles and its signed
    checkpoints; what records say about people, sealed, beside the log.
Serves: AuditService (search, entries, proofs; personal data opened and erased; the gateway's counts
    of refusals), AuditLogService (checkpoints, tiles, keys, consistency: for anybody).
Stores: `record` and `checkpoint`, append-only: the role of this service may neither change nor
    delete; `personal`. Tiles, entries and the last checkpoint in object storage.
Puts on its feed: nothing; its own acts are appended to the log at once.
Follows: the AuditRecorded events of every service that keeps a feed.
"""
