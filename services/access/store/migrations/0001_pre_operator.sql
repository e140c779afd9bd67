create table operator (
    operator_id    text primary key,
    roles          text[] not null,
    active         boolean not null,
    -- HMAC under core/transit/operator, and the key's version.
    secret_digest  bytea not null check (octet_length(secret_digest) = 32),
    secret_version integer not null,
    wrong_secrets  integer not null default 0,
    locked_until   timestamptz,
    changed_at     timestamptz not null default now()
);
