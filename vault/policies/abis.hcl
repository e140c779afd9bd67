# abis: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/abis" {
  capabilities = ["update"]
}

path "core/transit/keys/bio-reference" {
  capabilities = ["read"]
}

path "core/transit/encrypt/bio-reference" {
  capabilities = ["update"]
}

path "core/transit/decrypt/bio-reference" {
  capabilities = ["update"]
}

path "core/transit/rewrap/bio-reference" {
  capabilities = ["update"]
}

path "core/transit/keys/abis-share" {
  capabilities = ["read"]
}

path "core/transit/decrypt/abis-share" {
  capabilities = ["update"]
}
