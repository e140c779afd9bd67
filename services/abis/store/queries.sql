-- name: lock_log
select pg_advisory_xact_lock(hashtextextended('abis.reference_log', 0))

-- name: reference
select reference_id, seq, sealed from reference where reference_id = $1

-- name: insert
with entry as (
    insert into reference_log (reference_id, kind)
    select $1, 'INSERTED' where not exists (select from reference where reference_id = $1)
    returning seq
)
insert into reference (reference_id, seq, templates, sealed)
select $1, seq, $2, $3 from entry
returning seq, (select max(epoch) from feed_epoch) as epoch

-- name: delete
with gone as (
    delete from reference where reference_id = $1 returning reference_id
)
insert into reference_log (reference_id, kind) select reference_id, 'DELETED' from gone
returning seq, (select max(epoch) from feed_epoch) as epoch

-- name: head
select
    (select max(epoch) from feed_epoch) as epoch,
    coalesce((select max(seq) from reference_log), 0) as seq

-- name: references_after
select reference_id, seq, sealed from reference where seq > $1 order by seq limit $2

-- name: changes_after
select l.seq, l.kind, l.reference_id, r.sealed
from reference_log l
left join reference r on r.seq = l.seq
where l.seq > $1
order by l.seq limit $2

-- name: count
select count(*) from reference

-- name: count_changes_after
select count(*) from reference_log where seq > $1

-- name: insert_many
with given as (
    select * from unnest($1::uuid[], $2::smallint[], $3::bytea[])
        with ordinality as g (reference_id, templates, sealed, place)
), fresh as (
    select * from given
    where not exists (select from reference r where r.reference_id = given.reference_id)
), entry as (
    insert into reference_log (reference_id, kind)
    select reference_id, 'INSERTED' from fresh order by place
    returning seq, reference_id
)
insert into reference (reference_id, seq, templates, sealed)
select entry.reference_id, entry.seq, fresh.templates, fresh.sealed
from entry join fresh using (reference_id)
returning reference_id, seq

-- name: request
select kind, digest, answer from request where request_id = $1

-- name: keep_request
insert into request (request_id, kind, digest, answer) values ($1, $2, $3, $4)
on conflict do nothing
returning request_id

-- name: forget_requests
delete from request where request_id in (
    select request_id from request
    where made_at < clock_timestamp() - make_interval(secs => $1)
    order by made_at limit 1000
)

-- name: load_progress
insert into bulk_load (load_id) values ($1)
on conflict (load_id) do update set load_id = excluded.load_id
returning durable_up_to

-- name: keep_load
update bulk_load set durable_up_to = $2 where load_id = $1

-- name: keep_load_refusals
insert into bulk_load_refusal (load_id, number, reason)
select $1, number, reason from unnest($2::bigint[], $3::text[]) as r (number, reason)

-- name: load_refusals
select number, reason from bulk_load_refusal where load_id = $1 order by number

-- name: gallery_id
select gallery_id from gallery
