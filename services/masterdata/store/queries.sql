-- name: put_centre
insert into centre as present (centre_id, name, active, changed_at)
values ($1, $2, $3, $4)
on conflict (centre_id) do update
set
    name = excluded.name,
    active = excluded.active,
    -- Never before what it replaces, whatever the clock says.
    changed_at = greatest(excluded.changed_at, present.changed_at + interval '1 microsecond')
where (present.name, present.active) is distinct from (excluded.name, excluded.active)
returning centre_id, name, active, changed_at;

-- name: add_centre_history
insert into centre_history (centre_id, valid_from, name, active) values ($1, $2, $3, $4);

-- name: get_centre
select centre_id, name, active, changed_at from centre where centre_id = $1;

-- name: get_centre_as_of
select centre_id, name, active, valid_from as changed_at from centre_history
where centre_id = $1 and valid_from <= $2
order by valid_from desc
limit 1;

-- name: list_centres
select centre_id, name, active, changed_at from centre
where centre_id > $1
order by centre_id
limit $2;

-- name: put_machine
insert into machine as present
    (machine_id, centre_id, name, signing_public_key, active, changed_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (machine_id) do update
set
    centre_id = excluded.centre_id,
    name = excluded.name,
    signing_public_key = excluded.signing_public_key,
    active = excluded.active,
    changed_at = greatest(excluded.changed_at, present.changed_at + interval '1 microsecond')
where
    (present.centre_id, present.name, present.signing_public_key, present.active)
    is distinct from
    (excluded.centre_id, excluded.name, excluded.signing_public_key, excluded.active)
returning machine_id, centre_id, name, signing_public_key, active, changed_at;

-- name: add_machine_history
insert into machine_history
    (machine_id, valid_from, centre_id, name, signing_public_key, active)
values ($1, $2, $3, $4, $5, $6);

-- name: get_machine
select machine_id, centre_id, name, signing_public_key, active, changed_at from machine
where machine_id = $1;

-- name: get_machine_as_of
select machine_id, centre_id, name, signing_public_key, active, valid_from as changed_at
from machine_history
where machine_id = $1 and valid_from <= $2
order by valid_from desc
limit 1;

-- Locked, so that two that renew at once do so one after the other.
-- name: lock_machine
select machine_id from machine where machine_id = $1 for update;

-- name: supersede_packet_key
update packet_key set superseded_at = $2 where machine_id = $1 and superseded_at is null;

-- name: add_packet_key
insert into packet_key (
    thumbprint, machine_id, centre_id, certificate, key_name, key_version, serial, issued_at,
    not_after
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: packet_key_of_machine
select machine_id, centre_id, certificate, key_name, key_version, serial, not_after
from packet_key
where machine_id = $1 and superseded_at is null;

-- name: packet_key_by_thumbprint
select machine_id, centre_id, certificate, key_name, key_version, serial, not_after
from packet_key
where thumbprint = $1;

-- name: machines_to_renew
select
    machine.machine_id, machine.centre_id, machine.name, machine.signing_public_key,
    machine.active, machine.changed_at
from packet_key
join machine using (machine_id)
where
    packet_key.superseded_at is null and packet_key.not_after < $1
    and machine.active
order by packet_key.not_after
limit $2;

-- name: packet_key_versions
select distinct packet_key.key_name, packet_key.key_version
from packet_key join machine using (machine_id)
where packet_key.superseded_at is null and machine.active;

-- name: machines_with_key
select
    machine.machine_id, machine.centre_id, machine.name, machine.signing_public_key,
    machine.active, machine.changed_at
from packet_key
join machine using (machine_id)
where
    packet_key.superseded_at is null and packet_key.key_name = $1
    and packet_key.key_version = $2 and machine.active
order by machine.machine_id
limit $3;

-- name: packet_key_use
select key_name, key_version, count(*) as items, min(issued_at) as oldest_at, max(until) as until
from (
    select key_name, key_version, issued_at,
        least(not_after, superseded_at + $1::interval) as until
    from packet_key
) as certificate
where until > clock_timestamp()
group by key_name, key_version
order by key_name, key_version;

-- name: add_id_schema
insert into id_schema (version, document, effective_at, added_at) values ($1, $2, $3, $4)
on conflict (version) do nothing;

-- name: get_id_schema
select version, document, effective_at from id_schema where version = $1;

-- name: newest_id_schema
select version, document, effective_at from id_schema
where effective_at <= $1
order by effective_at desc, version desc
limit 1;
