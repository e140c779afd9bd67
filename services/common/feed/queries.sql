-- name: feed_publish
insert into feed (epoch, partition, event_type, payload)
select max(epoch), $1, $2, $3 from feed_epoch
returning epoch, txid::text as txid, seq;

-- name: feed_publish_all
select feed_publish_all($1, $2, $3);

-- Takes a transaction id like every notification, but has nothing that must survive a crash.
-- name: feed_notify
select set_config('synchronous_commit', 'off', true), pg_notify($1, $2);

-- One statement, so that the horizon and the rows are of the same snapshot. Every transaction
-- below xmin has ended, so nothing can still appear there. At most $5 rows are looked at,
-- whatever their type, so that a rare type does not make the statement long; of the events
-- asked for ($6, null: all) come those whose payloads before them add up to less than $7 bytes.
-- name: feed_read
with horizon as materialized (
    select
        (select max(epoch) from feed_epoch) as epoch,
        pg_snapshot_xmin(snapshot) as xmin,
        pg_snapshot_xmax(snapshot) as xmax
    from pg_current_snapshot() as snapshot
),
-- Positions carry the present epoch also for events of earlier ones: the sequence tells which.
place as materialized (
    select coalesce(
        (select max(epoch) from feed_epoch where first_seq <= $3::bigint),
        (select epoch from horizon where $3 = 0 and $4),
        0
    ) as epoch
),
scanned as materialized (
    select epoch, txid, seq, event_type, payload, recorded_at
    from feed
    where
        partition = $1
        and (epoch, txid, seq) > ((select epoch from place), $2::text::xid8, $3::bigint)
        and (epoch, txid) < (
            (select epoch from horizon), (select xmin from horizon)
        )
    order by epoch, txid, seq
    limit $5
),
wanted as (
    select
        *,
        sum(octet_length(payload)) over (order by epoch, txid, seq)
        - octet_length(payload) as bytes_before
    from scanned
    where $6::text[] is null or event_type = any($6)
),
last as (
    select txid, seq from scanned order by epoch desc, txid desc, seq desc limit 1
)
select
    horizon.epoch as present_epoch,
    (select epoch from place) as place_epoch,
    horizon.xmin::text as xmin,
    horizon.xmax::text as xmax,
    (select count(*) from scanned) as scanned,
    (select count(*) from wanted) as wanted,
    (select txid::text from last) as last_txid,
    (select seq from last) as last_seq,
    (
        select extract(epoch from clock_timestamp() - held.recorded_at)::float8
        from feed as held
        where
            held.partition = $1 and held.epoch = horizon.epoch and held.txid >= horizon.xmin
        order by held.txid, held.seq
        limit 1
    ) as held_s,
    delivered.txid::text as txid,
    delivered.seq,
    delivered.event_type,
    delivered.payload,
    delivered.recorded_at
from horizon
left join wanted as delivered on delivered.bytes_before < $7
order by delivered.epoch, delivered.txid, delivered.seq;

-- name: feed_present
select
    (select max(epoch) from feed_epoch) as epoch,
    pg_snapshot_xmax(pg_current_snapshot())::text as xmax;

-- Epoch 0 stands for the beginning.
-- name: feed_position_start
insert into feed_position (source, partition, epoch, txid, seq)
values ($1, $2, 0, '0', 0)
on conflict do nothing;

-- name: feed_position_get
select epoch, txid::text as txid, seq from feed_position
where source = $1 and partition = $2;

-- name: feed_position_lock
select epoch, txid::text as txid, seq from feed_position
where source = $1 and partition = $2
for update;

-- name: feed_position_set
update feed_position
set epoch = $3, txid = $4::text::xid8, seq = $5, stored_at = clock_timestamp()
where source = $1 and partition = $2;
