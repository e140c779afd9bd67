-- name: lock_size
select size from log_size for update

-- Those that are in the log are left out; the others get the next indexes, in their order.
-- name: append_records
with fresh as materialized (
    select given.*, row_number() over (order by given.place) - 1 as step
    from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::smallint[], $7::text[],
                $8::text[], $9::text[], $10::bytea[], $11::text[], $12::bytea[], $13::bytea[],
                $14::bytea[])
        with ordinality as given (audit_id, acted_at, service, action, outcome, actor_kind,
                                  actor_id, subject_kind, subject_key, correlation_id, canonical,
                                  leaf_hash, sealed, place)
    where not exists (select from record where record.audit_id = given.audit_id)
),
added as (
    insert into record (index, audit_id, acted_at, service, action, outcome, actor_kind, actor_id,
                        subject_kind, subject_key, correlation_id, canonical, leaf_hash)
    select $1::bigint + step, audit_id, acted_at, service, action, outcome, actor_kind, actor_id,
           subject_kind, subject_key, correlation_id, canonical, leaf_hash
    from fresh
),
beside as (
    insert into personal (index, subject_kind, subject_key, sealed)
    select $1::bigint + step, subject_kind, subject_key, sealed
    from fresh
    where sealed is not null
)
update log_size set size = $1::bigint + (select count(*) from fresh)
returning size

-- name: search
select index, canonical, leaf_hash, appended_at from record
where ($1::bigint is null or index < $1)
  and ($2 = '' or service = $2)
  and ($3 = '' or action = $3)
  and ($4 = '' or actor_id = $4)
  and ($5::timestamptz is null or acted_at >= $5)
  and ($6::timestamptz is null or acted_at < $6)
  and ($8 = '' or actor_kind = $8)
  and ($9 = '' or subject_kind = $9)
  and ($10::bytea = '' or subject_key = $10)
  and ($11 = '' or correlation_id = $11)
  and ($12::smallint = 0 or outcome = $12)
order by index desc
limit $7

-- name: size
select size from log_size

-- name: entries
select index, canonical, leaf_hash from record
where index >= $1 and index < $2
order by index

-- name: index_of
select index from record where audit_id = $1

-- name: last_checkpoint
select size, root, note, signed_at from checkpoint order by size desc limit 1

-- name: checkpoint_at
select note from checkpoint where size = $1

-- Nothing is written where another process has signed since.
-- name: add_checkpoint
insert into checkpoint (size, root, note)
select $1, $2, $3
where $4::bigint is not distinct from (select max(size) from checkpoint)
on conflict do nothing
returning true

-- name: lock_publishing
select only_one from publishing for update

-- name: get_personal
select record.index, personal.sealed, personal.erased_at
from record left join personal using (index)
where record.audit_id = $1

-- name: erase_personal
update personal set sealed = null, erased_at = clock_timestamp()
where subject_key = $2 and subject_kind = $1 and sealed is not null
