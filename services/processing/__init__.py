"""The life of a registration, from a stored packet to a UIN or a refusal.

Owns: registrations in flight, their journal; keyed demographic look-ups; adjudication cases.
Serves: ProcessingService and AdjudicationService to operators, FeedService.
Stores: no demographic data in clear: keyed hashes, and cases sealed under a data key each.
Feed: RegistrationAdvanced for registration; audit records.
Follows: registration (PacketReceived).
"""
