"""What the Vault server holds: keys, rights and certificate authorities, as data."""
