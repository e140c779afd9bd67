"""Registration's way to other services and to the object store."""
