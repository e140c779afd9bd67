-- The log. Append-only: the trigger refuses to change or delete, whoever asks.
create table record (
    index          bigint primary key,
    audit_id       uuid not null unique,
    acted_at       timestamptz not null,
    service        text not null,
    action         text not null,
    outcome        smallint not null check (outcome between 1 and 3),
    actor_kind     text not null,
    actor_id       text not null,
    subject_kind   text not null,
    subject_key    bytea not null,
    correlation_id text not null,
    canonical      bytea not null,
    leaf_hash      bytea not null check (octet_length(leaf_hash) = 32),
    appended_at    timestamptz not null default now()
);

create index record_service on record (service, action, index desc);
create index record_actor on record (actor_id, index desc);
create index record_subject on record (subject_key, index desc);

-- One row: the records in the log. Its lock gives the next indexes, one append at a time.
create table log_size (
    only_one boolean primary key default true check (only_one),
    size     bigint not null
);
insert into log_size (size) values (0);

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'audit records are append-only';
end
$$;

create trigger record_is_append_only before update or delete or truncate on record
    for each statement execute function refuse_change();
