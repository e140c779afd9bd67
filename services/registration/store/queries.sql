-- name: add_packet
insert into packet (
    packet_id, registration_id, process, centre_id, machine_id, sha256, size,
    supervisor_approved, language, synced_at, status, status_changed_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $10)
on conflict (packet_id) do nothing
returning packet_id;

-- name: get_packet
select
    packet_id, registration_id, process, centre_id, machine_id, sha256, size,
    supervisor_approved, language, synced_at, received_at, status, status_reason,
    status_changed_at
from packet
where packet_id = $1;

-- In one order, so that two who lock the same rows do not wait for each other.
-- name: lock_registration
select
    packet_id, registration_id, process, centre_id, machine_id, sha256, size,
    supervisor_approved, language, synced_at, received_at, status, status_reason,
    status_changed_at
from packet
where registration_id = $1
order by packet_id
for update;

-- name: mark_received
update packet
set received_at = $2, status = $3, status_reason = '', status_changed_at = $2
where packet_id = $1 and received_at is null
returning
    packet_id, registration_id, process, centre_id, machine_id, sha256, size,
    supervisor_approved, language, synced_at, received_at, status, status_reason,
    status_changed_at;

-- name: set_status
update packet
set status = $2, status_reason = $3, status_changed_at = $4
where packet_id = $1
returning packet_id;

-- name: of_registrations
select
    packet_id, registration_id, process, centre_id, machine_id, sha256, size,
    supervisor_approved, language, synced_at, received_at, status, status_reason,
    status_changed_at
from packet
where registration_id = any($2::text[]) and machine_id = $1
order by packet_id;

-- name: not_received
select
    packet_id, registration_id, process, centre_id, machine_id, sha256, size,
    supervisor_approved, language, synced_at, received_at, status, status_reason,
    status_changed_at
from packet
where received_at is null and packet_id > $2 and synced_at < $1
order by packet_id
limit $3;

-- name: announced
select centre_id, count(*) as items, min(synced_at) as oldest_at,
    max(synced_at) + $1::interval as until
from packet where received_at is null and synced_at > clock_timestamp() - $1::interval
group by centre_id
