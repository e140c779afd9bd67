# masterdata: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/masterdata" {
  capabilities = ["update"]
}

path "core/transit/keys/pkt-*" {
  capabilities = ["create", "read", "update"]
  # New keys and their certificate requests only: no other setting of a key can be sent.
  allowed_parameters = {
    "type"                   = ["rsa-2048", "rsa-3072"]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
    "csr"                    = []
    "version"                = []
  }
}

path "core/pki-machine/sign/machine" {
  capabilities = ["update"]
}

path "core/pki-machine/sign/packet" {
  capabilities = ["update"]
}

path "core/pki-machine/revoke" {
  capabilities = ["update"]
}
