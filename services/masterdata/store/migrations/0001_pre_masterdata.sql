-- Centres, machines and what machines seal packets for. The tables without _history hold what
-- is; each change adds a row to the history in the same transaction.

create table centre (
    centre_id text primary key check (centre_id ~ '^[0-9]{5}$'),
    name text not null,
    active boolean not null,
    changed_at timestamptz not null
);

create table centre_history (
    centre_id text not null references centre,
    valid_from timestamptz not null,
    name text not null,
    active boolean not null,
    primary key (centre_id, valid_from)
);

create table machine (
    machine_id text primary key check (machine_id ~ '^[0-9]{5}$'),
    centre_id text not null references centre,
    name text not null,
    -- SubjectPublicKeyInfo, DER.
    signing_public_key bytea not null,
    active boolean not null,
    changed_at timestamptz not null
);

create table machine_history (
    machine_id text not null references machine,
    valid_from timestamptz not null,
    centre_id text not null,
    name text not null,
    signing_public_key bytea not null,
    active boolean not null,
    primary key (machine_id, valid_from)
);

-- Never deleted: a packet made offline names its certificate by thumbprint, perhaps months later.
create table packet_key (
    thumbprint bytea primary key check (octet_length(thumbprint) = 32),
    machine_id text not null references machine,
    centre_id text not null references centre,
    certificate bytea not null,
    key_name text not null,
    key_version integer not null check (key_version > 0),
    serial text not null,
    issued_at timestamptz not null,
    not_after timestamptz not null,
    -- Null for the one that the machine is to use.
    superseded_at timestamptz
);

create unique index packet_key_present on packet_key (machine_id) where superseded_at is null;
create index packet_key_ending on packet_key (not_after) where superseded_at is null;

create table id_schema (
    version double precision primary key check (version > 0),
    document text not null,
    effective_at timestamptz not null,
    added_at timestamptz not null
);

create index id_schema_effective on id_schema (effective_at desc, version desc);
