# supervisor of one machine: hands each service a wrapped one-time secret id before it starts,
# signs for the edge and for the operator at the keyboard, and asks for a root token when the
# layout changes, which needs the recovery key too. It can read no secret and use no key.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "auth/approle/role/abis/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/access/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/audit/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/authentication/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/gateway/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/identity/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/masterdata/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/notification/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/partner/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/processing/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/registration/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "auth/approle/role/key-custodian/secret-id" {
  capabilities     = ["update"]
  min_wrapping_ttl = "1s"
  max_wrapping_ttl = "300s"
}

path "core/pki/sign/envoy" {
  capabilities = ["update"]
}

path "core/pki/sign/operator-cli" {
  capabilities = ["update"]
}

path "sys/generate-root-token/attempt" {
  capabilities = ["create", "read", "update", "delete", "sudo"]
}

path "sys/generate-root-token/update" {
  capabilities = ["create", "update", "sudo"]
}
