# notification: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/notification" {
  capabilities = ["update"]
}

path "core/transit/keys/message" {
  capabilities = ["read"]
}

path "core/transit/rewrap/message" {
  capabilities = ["update"]
}

path "core/transit/encrypt/message" {
  capabilities = ["update"]
}

path "core/transit/decrypt/message" {
  capabilities = ["update"]
}
