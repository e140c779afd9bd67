"""MOSIP's partner REST wire format: request cryptography, envelopes, error catalogue."""
