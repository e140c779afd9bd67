"""The search engine for biometric references.

Owns: references, durable in PostgreSQL (sealed templates), and the galleries in memory.
Serves: AbisService to processing, and to its own processes where several share the references;
MOSIP's ABIS messages as JSON; FeedService to audit.
Stores: random reference ids and templates under a data key per segment; never a name.
Feed: audit records only. The order of inserts and deletes is a log of its own, which the
galleries follow.
Follows: nothing.
"""
