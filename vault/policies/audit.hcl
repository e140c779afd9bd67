# audit: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/audit" {
  capabilities = ["update"]
}

path "core/transit/keys/audit-checkpoint" {
  capabilities = ["read"]
}

path "core/transit/sign/audit-checkpoint" {
  capabilities = ["update"]
}

path "core/transit/sign/audit-checkpoint/sha2-256" {
  capabilities = ["update"]
}

path "core/transit/keys/audit-personal" {
  capabilities = ["read"]
}

path "core/transit/decrypt/audit-personal" {
  capabilities = ["update"]
}

path "core/transit/rewrap/audit-personal" {
  capabilities = ["update"]
}
