"""The keys of Vault that identity uses, by mount and name."""

UIN = "core/transit/uin"
UIN_LOOKUP = "core/transit/uin-lookup"
RECORD = "core/transit/record"
PUBLISHED_LOOKUP = "ida/transit/id-lookup"
PUBLISHED_RECORD = "ida/transit/record"
