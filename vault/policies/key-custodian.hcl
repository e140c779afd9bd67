# key-custodian: whoever rotates and retires keys, at the keyboard or in a job. It sees versions,
# makes new ones and says which old ones may still be used; it can use no key, and make, export,
# delete none. What takes effect for good is trim alone.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/transit/keys" {
  capabilities = ["list"]
}

path "core/transit/keys/+" {
  capabilities = ["read"]
}

path "core/transit/keys/+/rotate" {
  capabilities = ["update"]
}

path "core/transit/keys/+/config" {
  capabilities       = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

path "core/transit/keys/+/trim" {
  capabilities = ["update"]
}

path "ida/transit/keys" {
  capabilities = ["list"]
}

path "ida/transit/keys/+" {
  capabilities = ["read"]
}

path "ida/transit/keys/+/rotate" {
  capabilities = ["update"]
}

path "ida/transit/keys/+/config" {
  capabilities       = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

path "ida/transit/keys/+/trim" {
  capabilities = ["update"]
}
