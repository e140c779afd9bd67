-- Answered requests: the same id again gets the same answer. The answer of a search is sealed.
create table request (
    request_id uuid primary key,
    kind text not null check (kind in ('INSERT', 'IDENTIFY', 'DELETE')),
    digest bytea not null,
    answer bytea not null,
    made_at timestamptz not null default clock_timestamp()
);
create index request_made_at on request (made_at);

-- How far a bulk load is; a load that broke off goes on behind it.
create table bulk_load (
    load_id uuid primary key,
    durable_up_to bigint not null default 0,
    started_at timestamptz not null default clock_timestamp()
);

create table bulk_load_refusal (
    load_id uuid not null references bulk_load,
    number bigint not null,
    reason text not null,
    primary key (load_id, number)
);

-- Names this database in snapshots of its gallery, so that another's is not taken for them.
create table gallery (
    only_one boolean primary key default true check (only_one),
    gallery_id uuid not null default gen_random_uuid()
);
insert into gallery default values;
