# identity: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/identity" {
  capabilities = ["update"]
}

path "core/transit/keys/uin" {
  capabilities = ["read"]
}

path "core/transit/encrypt/uin" {
  capabilities = ["update"]
}

path "core/transit/decrypt/uin" {
  capabilities = ["update"]
}

path "core/transit/rewrap/uin" {
  capabilities = ["update"]
}

path "core/transit/keys/uin-lookup" {
  capabilities = ["read"]
}

path "core/transit/hmac/uin-lookup" {
  capabilities = ["update"]
}

path "core/transit/hmac/uin-lookup/sha2-256" {
  capabilities = ["update"]
}

path "core/transit/keys/record" {
  capabilities = ["read"]
}

path "core/transit/encrypt/record" {
  capabilities = ["update"]
}

path "core/transit/decrypt/record" {
  capabilities = ["update"]
}

path "core/transit/rewrap/record" {
  capabilities = ["update"]
}

path "ida/transit/keys/id-lookup" {
  capabilities = ["read"]
}

path "ida/transit/hmac/id-lookup" {
  capabilities = ["update"]
}

path "ida/transit/hmac/id-lookup/sha2-256" {
  capabilities = ["update"]
}

path "ida/transit/keys/record" {
  capabilities = ["read"]
}

path "ida/transit/rewrap/record" {
  capabilities = ["update"]
}

path "ida/transit/encrypt/record" {
  capabilities = ["update"]
}

path "core/transit/keys/audit-personal" {
  capabilities = ["read"]
}
