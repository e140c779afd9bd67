"""What the gateway does, one module each."""
