-- Where revocations of other authorities are learnt from, and how that goes.
create table revocation_source (
    -- 1 a list, 2 a responder that is asked for one certificate.
    kind          smallint not null,
    -- Empty: uploaded.
    url           text not null,
    -- SHA-256 over the public key of the authority, and its certificate, DER.
    issuer        bytea not null check (octet_length(issuer) = 32),
    authority     bytea not null,
    -- Of a responder: the certificate that is asked for, DER, and its serial.
    serial        bytea not null default '',
    certificate   bytea not null default '',
    domain        smallint not null,
    this_update   timestamptz,
    next_update   timestamptz,
    next_check_at timestamptz,
    failures      integer not null default 0,
    last_error    text not null default '',
    primary key (kind, url, issuer, serial)
);

create index revocation_source_due on revocation_source (next_check_at);

-- Authorities of strict domains: until when they are believed.
create table revocation_state (
    issuer     bytea primary key,
    good_until timestamptz not null
);

-- Warnings of certificates that end, each once.
create table expiry_warning (
    partner_id text not null,
    thumbprint bytea not null,
    days       integer not null,
    warned_at  timestamptz not null default now(),
    primary key (partner_id, thumbprint, days)
);
