"""Takes registration packets from machines.

Owns: packets, and what machines announced about them.
Serves: RegistrationService: settings, sync, upload and status for machines, each call
    authenticated by a token that the machine signed; download for processing.
Stores: ciphertext in the object store, `packet` in PostgreSQL.
Puts on its feed: PacketReceived, AuditRecorded.
Follows: processing, for the state of registrations.
"""
