-- Partner's feed: what is revoked, by the SHA-256 over the issuer's public key.
create table revoked_serial (
    issuer bytea not null,
    serial bytea not null,
    primary key (issuer, serial)
);

-- Authorities of strict domains: nothing of theirs is believed from then on.
create table revocation_state (
    issuer     bytea primary key,
    good_until timestamptz not null
);
