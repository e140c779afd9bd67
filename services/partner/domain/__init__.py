"""Partners, policies, keys and certificates."""
