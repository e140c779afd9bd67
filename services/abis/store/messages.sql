-- name: begin_message
with known as (
    select digest, done from message where request_id = $1
), stands as (
    select exists (select from reference where reference_id = $3) as it
), made as (
    insert into message (request_id, digest)
    select $1, $2 from stands where it = $4 and not exists (select from known)
    on conflict (request_id) do nothing
), old as (
    delete from message where request_id in (
        select request_id from message
        where received_at < clock_timestamp() - make_interval(secs => $5)
        order by received_at limit 4
    )
)
select known.digest, known.done, stands.it as reference_exists
from stands left join known on true

-- name: finish_message
update message set done = true where request_id = $1

-- name: forget_message
delete from message where request_id = $1 and not done
