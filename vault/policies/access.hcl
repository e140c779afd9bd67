# access: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/access" {
  capabilities = ["update"]
}

path "core/transit/keys/operator" {
  capabilities = ["read"]
}

path "core/transit/hmac/operator" {
  capabilities = ["update"]
}

path "core/transit/hmac/operator/sha2-256" {
  capabilities = ["update"]
}

path "core/transit/keys/operator-factor" {
  capabilities = ["read"]
}

path "core/transit/encrypt/operator-factor" {
  capabilities = ["update"]
}

path "core/transit/decrypt/operator-factor" {
  capabilities = ["update"]
}

path "core/transit/rewrap/operator-factor" {
  capabilities = ["update"]
}

path "core/transit/keys/token-signer" {
  capabilities = ["read"]
}

path "core/transit/sign/token-signer" {
  capabilities = ["update"]
}

path "core/transit/sign/token-signer/sha2-256" {
  capabilities = ["update"]
}
