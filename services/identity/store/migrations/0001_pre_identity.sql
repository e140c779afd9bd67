-- Identities, their UINs and VIDs. No number stands in clear: it is found by a keyed hash and
-- read by decrypting; the record is sealed with a data key of its own.

create table identity (
    identity_id uuid primary key,
    registration_id text not null unique,
    state text not null check (state in ('DRAFT', 'ACTIVATED', 'DEACTIVATED', 'BLOCKED')),
    version bigint not null,
    sealed_record bytea not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    published_at timestamptz,
    notified_at timestamptz
);

-- Drawn ahead; free while no identity holds it. A number is never given out a second time.
create table uin (
    uin_id bigint generated always as identity primary key,
    lookup_key_version integer not null,
    lookup_key bytea not null,
    sealed text not null,
    identity_id uuid unique references identity,
    unique (lookup_key, lookup_key_version)
);

create index uin_version on uin (lookup_key_version);
create index uin_free on uin (uin_id) where identity_id is null;

create table vid (
    vid_id uuid primary key,
    identity_id uuid not null references identity,
    type text not null check (type in ('PERPETUAL', 'TEMPORARY', 'ONE_TIME')),
    state text not null check (state in ('ACTIVE', 'REVOKED', 'EXPIRED', 'USED')),
    lookup_key_version integer not null,
    lookup_key bytea not null,
    -- Under the authentication domain's key: what VidUsed names it by.
    published_key_version integer not null,
    published_key bytea not null,
    sealed text not null,
    issued_seq bigint generated always as identity,
    expires_at timestamptz,
    transactions_left integer check (transactions_left >= 0),
    idempotency_key text,
    replaced_by uuid references vid,
    unique (lookup_key, lookup_key_version),
    unique (published_key, published_key_version),
    unique (identity_id, idempotency_key)
);

create index vid_of_identity on vid (identity_id, issued_seq desc);
create index vid_ending on vid (expires_at) where state = 'ACTIVE' and expires_at is not null;

-- Why an operator changed a state; the text may name the individual, so it is sealed.
create table state_reason (
    identity_id uuid not null references identity,
    changed_at timestamptz not null,
    state text not null,
    sealed_reason text not null
);

create index state_reason_of_identity on state_reason (identity_id, changed_at);
