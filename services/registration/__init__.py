"""Takes registration packets from machines.

Owns packets and what machines announced about them. Serves RegistrationService: sync, upload,
status and settings for machines, each authenticated by a token that the machine signed; download
for processing. Stores ciphertext in the object store and a row per packet in Postgres. Puts
PacketReceived and audit records on its feed; follows processing for the state of registrations.
"""
