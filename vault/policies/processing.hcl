# processing: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/processing" {
  capabilities = ["update"]
}

path "core/transit/keys/pkt-*" {
  capabilities = ["read"]
}

path "core/transit/decrypt/pkt-*" {
  capabilities = ["update"]
}

path "core/transit/keys/demographic-lookup" {
  capabilities = ["read"]
}

path "core/transit/hmac/demographic-lookup" {
  capabilities = ["update"]
}

path "core/transit/hmac/demographic-lookup/sha2-256" {
  capabilities = ["update"]
}

path "core/transit/keys/case" {
  capabilities = ["read"]
}

path "core/transit/encrypt/case" {
  capabilities = ["update"]
}

path "core/transit/decrypt/case" {
  capabilities = ["update"]
}

path "core/transit/rewrap/case" {
  capabilities = ["update"]
}
