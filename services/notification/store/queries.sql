-- The audit record is written with the message, by the same statement, or neither is.
-- name: add
with added as (
    insert into message (
        message_id, idempotency_key, channel, sealed, accepted_at, expires_at, next_attempt_at
    )
    values ($1, $2, $3, $4, $5, $6, $5)
    on conflict (idempotency_key) do nothing
    returning message_id
)
select message_id, feed_publish_all(0::smallint, $7, $8) as told from added

-- name: find
select message_id from message where idempotency_key = $1

-- name: claim
update message set next_attempt_at = $2, attempts = attempts + 1
where message_id = (
    select message_id from message
    where state = 'queued' and next_attempt_at <= $1
    order by next_attempt_at
    limit 1
    for update skip locked
)
returning message_id, channel, sealed, accepted_at, expires_at, attempts

-- name: finish
update message set state = $2, reason = $3, sealed = null, finished_at = now()
where message_id = $1 and state = 'queued'
returning channel

-- name: postpone
update message set next_attempt_at = $2 where message_id = $1 and state = 'queued'

-- name: counts
select state, count(*) as messages from message group by state
