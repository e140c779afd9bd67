# break-glass: the login that lies in a sealed envelope. It can ask for a root token, which takes
# a quorum of the recovery shares as well, and nothing else: neither holder can act alone.

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "sys/generate-root-token/attempt" {
  capabilities = ["create", "read", "update", "delete", "sudo"]
}

path "sys/generate-root-token/update" {
  capabilities = ["create", "update", "sudo"]
}
