-- What the Merkle tree over the records needs, and what lies beside the log.

-- An entry of the tree's files has a length of two bytes.
alter table record add constraint record_fits_the_tree check (octet_length(canonical) <= 65535);
create index record_correlation on record (correlation_id) where correlation_id <> '';
-- Records come nearly in the order of their time: a small index is as good.
create index record_acted on record using brin (acted_at);
drop index record_subject;
create index record_subject on record (subject_key, subject_kind, index desc);

-- What was signed. The last row is what the next one must extend.
create table checkpoint (
    size      bigint primary key check (size >= 0),
    root      bytea not null check (octet_length(root) = 32),
    note      bytea not null,
    signed_at timestamptz not null default clock_timestamp()
);

create trigger checkpoint_is_append_only before update or delete or truncate on checkpoint
    for each statement execute function refuse_change();

-- Held while a checkpoint is published, so that an older one never comes after a newer.
create table publishing (
    only_one boolean primary key default true check (only_one)
);
insert into publishing default values;

-- What records say about people, sealed. Erasing takes the box away; the row tells that there was
-- one, and the commitment in the record stays.
create table personal (
    index        bigint primary key,
    subject_kind text not null,
    subject_key  bytea not null,
    sealed       bytea,
    erased_at    timestamptz,
    check ((sealed is null) = (erased_at is not null))
);
create index personal_subject on personal (subject_key, subject_kind) where sealed is not null;

-- The trigger stops whoever has the right; the service's role has not even that.
do $$
declare
    held record;
begin
    for held in
        select tables.oid::regclass as name, rights.grantee::regrole as grantee
        from pg_class as tables, aclexplode(tables.relacl) as rights
        where tables.oid in ('record'::regclass, 'checkpoint'::regclass)
        and rights.grantee not in (0, tables.relowner)
        and rights.privilege_type = 'UPDATE'
    loop
        execute format('revoke update, delete, truncate on %s from %s', held.name, held.grantee);
    end loop;
end
$$;
