-- name: lock_size
select size from log_size for update

-- Those that are in the log are left out; the others get the next indexes, in their order.
-- name: append_records
with fresh as materialized (
    select given.*, row_number() over (order by given.place) - 1 as step
    from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::smallint[], $7::text[],
                $8::text[], $9::text[], $10::bytea[], $11::text[], $12::bytea[], $13::bytea[])
        with ordinality as given (audit_id, acted_at, service, action, outcome, actor_kind,
                                  actor_id, subject_kind, subject_key, correlation_id, canonical,
                                  leaf_hash, place)
    where not exists (select from record where record.audit_id = given.audit_id)
),
added as (
    insert into record (index, audit_id, acted_at, service, action, outcome, actor_kind, actor_id,
                        subject_kind, subject_key, correlation_id, canonical, leaf_hash)
    select $1::bigint + step, audit_id, acted_at, service, action, outcome, actor_kind, actor_id,
           subject_kind, subject_key, correlation_id, canonical, leaf_hash
    from fresh
)
update log_size set size = $1::bigint + (select count(*) from fresh)
returning size

-- name: search
select index, canonical, leaf_hash from record
where ($1::bigint is null or index < $1)
  and ($2 = '' or service = $2)
  and ($3 = '' or action = $3)
  and ($4 = '' or actor_id = $4)
  and ($5::timestamptz is null or acted_at >= $5)
  and ($6::timestamptz is null or acted_at < $6)
order by index desc
limit $7
