# authentication: log in, keep the token alive, sign its own certificate, use its keys. Nothing else.

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}

path "core/pki/sign/authentication" {
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

path "ida/transit/decrypt/record" {
  capabilities = ["update"]
}

path "ida/transit/rewrap/record" {
  capabilities = ["update"]
}

path "ida/transit/keys/partner-envelope" {
  capabilities = ["read"]
}

path "ida/transit/decrypt/partner-envelope" {
  capabilities = ["update"]
}

path "ida/transit/keys/partner-envelope/csr" {
  capabilities = ["update"]
}

path "ida/transit/keys/fir-envelope" {
  capabilities = ["read"]
}

path "ida/transit/decrypt/fir-envelope" {
  capabilities = ["update"]
}

path "ida/transit/keys/fir-envelope/csr" {
  capabilities = ["update"]
}

path "ida/transit/keys/otp" {
  capabilities = ["read"]
}

path "ida/transit/hmac/otp" {
  capabilities = ["update"]
}

path "ida/transit/hmac/otp/sha2-256" {
  capabilities = ["update"]
}

path "ida/transit/keys/psut" {
  capabilities = ["read"]
}

path "ida/transit/encrypt/psut" {
  capabilities = ["update"]
}

path "ida/transit/decrypt/psut" {
  capabilities = ["update"]
}

path "ida/transit/rewrap/psut" {
  capabilities = ["update"]
}

path "ida/pki-response/sign/response" {
  capabilities = ["update"]
}

path "ida/pki-response/sign/envelope" {
  capabilities = ["update"]
}
