"""The log of all acts in the mesh.

Owns: the records, in one order without gaps, each with its RFC 6962 leaf hash.
Serves: AuditService (search).
Stores: `record`, append-only: the role of this service may neither change nor delete.
Puts on its feed: nothing.
Follows: the AuditRecorded events of every service that keeps a feed.
"""
