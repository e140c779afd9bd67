"""The object store and the key service."""
