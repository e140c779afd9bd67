create table partner (
    partner_id   text primary key,
    type         smallint not null,
    organisation text not null,
    status       smallint not null,
    -- X.509, DER, newest first.
    certificates bytea[] not null,
    changed_at   timestamptz not null
);

create table authority (
    domain      smallint not null,
    thumbprint  bytea not null,
    certificate bytea not null,
    added_at    timestamptz not null default now(),
    primary key (domain, thumbprint)
);

create table policy (
    policy_id   text primary key,
    name        text not null,
    document    text not null,
    status      smallint not null,
    valid_until timestamptz not null
);

create table api_key (
    key_id       text primary key,
    partner_id   text not null references partner,
    policy_id    text not null references policy,
    label        text not null,
    status       smallint not null,
    expires_at   timestamptz not null,
    -- HMAC under core/transit/api-key, and the key's version.
    hash         bytea not null unique check (octet_length(hash) = 32),
    hash_version integer not null,
    created_at   timestamptz not null default now(),
    unique (partner_id, label)
);

create table licence (
    licence_id   text primary key,
    partner_id   text not null references partner,
    status       smallint not null,
    expires_at   timestamptz not null,
    hash         bytea not null unique check (octet_length(hash) = 32),
    hash_version integer not null,
    created_at   timestamptz not null default now()
);

create index licence_partner on licence (partner_id);
