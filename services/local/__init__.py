"""The whole mesh on one machine: PostgreSQL, OpenBao, Envoy, the services, and their supervisor."""
