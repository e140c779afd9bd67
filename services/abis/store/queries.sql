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
returning seq

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
