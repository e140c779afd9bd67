"""What the mesh knows about its own field.

Owns: centres, machines, the certificates that machines seal packets for, identity schemas.
Serves: MasterdataService; every look-up can be made as of a past instant.
Stores: each version of a centre and a machine with the instant from which it holds.
Puts on its feed: AuditRecorded.
Follows: nothing.
"""
