# partner: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/partner" {
  capabilities = ["update"]
}

path "core/transit/keys/api-key" {
  capabilities = ["read"]
}

path "core/transit/hmac/api-key" {
  capabilities = ["update"]
}

path "core/transit/hmac/api-key/sha2-256" {
  capabilities = ["update"]
}

path "core/pki-partner/sign/partner" {
  capabilities = ["update"]
}

path "core/pki-partner/revoke" {
  capabilities = ["update"]
}

path "core/pki-partner/crl/rotate" {
  capabilities = ["read"]
}

path "core/pki-device/sign/device" {
  capabilities = ["update"]
}

path "core/pki-device/revoke" {
  capabilities = ["update"]
}

path "core/pki-device/crl/rotate" {
  capabilities = ["read"]
}

path "core/pki-ftm/sign/ftm" {
  capabilities = ["update"]
}

path "core/pki-ftm/revoke" {
  capabilities = ["update"]
}

path "core/pki-ftm/crl/rotate" {
  capabilities = ["read"]
}
