# registration: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/registration" {
  capabilities = ["update"]
}

path "core/transit/keys/pkt-*" {
  capabilities = ["read"]
}
