alter table operator
    alter column secret_digest drop not null,
    alter column secret_version drop not null,
    -- People log in; programs have a secret or keys.
    add column person boolean not null default false,
    -- Tokens of an earlier generation are refused.
    add column generation bigint not null default 0;

create table client_key (
    operator_id text not null references operator on delete cascade,
    key_id      text not null,
    jwk         text not null,
    added_at    timestamptz not null default now(),
    primary key (operator_id, key_id)
);

create table credentials (
    operator_id    text primary key references operator on delete cascade,
    -- Argon2id, PHC form.
    password       text not null,
    change_by      timestamptz,
    -- Encrypted under core/transit/operator-factor.
    totp           text,
    totp_confirmed boolean not null default false,
    last_step      bigint not null default 0
);

create table recovery_code (
    operator_id text not null references operator on delete cascade,
    -- HMAC under core/transit/operator, and the key's version.
    digest      bytea not null check (octet_length(digest) = 32),
    version     integer not null,
    primary key (operator_id, digest)
);

-- Names that nobody has are counted too: so that a lock tells nothing.
create table attempts (
    operator_id  text not null,
    -- A network of one user; empty for all together.
    source       text not null,
    wrong        integer not null default 0,
    locked_until timestamptz,
    succeeded_at timestamptz,
    changed_at   timestamptz not null default now(),
    primary key (operator_id, source)
);

create table spent_assertion (
    client_id    text not null,
    assertion_id bytea not null,
    expires_at   timestamptz not null,
    primary key (client_id, assertion_id)
);

create table refresh_token (
    digest      bytea not null check (octet_length(digest) = 32),
    version     integer not null,
    session_id  uuid not null,
    operator_id text not null references operator on delete cascade,
    scope       text not null,
    spent       boolean not null default false,
    expires_at  timestamptz not null,
    -- When the session ends, however often it was refreshed.
    ends_at     timestamptz not null,
    primary key (digest, version)
);
create index refresh_token_session on refresh_token (session_id);
create index refresh_token_operator on refresh_token (operator_id);

create table token_signer (
    kid            text primary key,
    -- By core/transit/token-signer; the other columns only help to find it.
    statement      text not null,
    certified_by   integer not null,
    usable_from    timestamptz not null,
    signs_until    timestamptz not null,
    verifies_until timestamptz not null
);

-- Since when each version of core/transit/token-signer is published.
create table certifying_key (
    version integer primary key,
    seen_at timestamptz not null
);

create table revoked_token (
    token_id   text primary key,
    expires_at timestamptz not null
);

create table revoked_operator (
    operator_id      text primary key,
    least_generation bigint not null,
    expires_at       timestamptz not null
);

-- Grows with every change that verifiers must hear of.
create table trust_version (
    only_row boolean primary key default true check (only_row),
    version  bigint not null
);
insert into trust_version (version) values (1);

-- What is still under an old version of a key is found by these.
create index credentials_totp_version on credentials (ciphertext_key_version(totp));
create index recovery_code_version on recovery_code (version);
