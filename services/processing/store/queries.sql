-- name: add
insert into registration (
    registration_id, packet_id, process, centre_id, machine_id, sha256, size, received_at,
    supervisor_approved, state, stage
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'PROCESSING', $10)
on conflict do nothing
returning *

-- The reference id is drawn again, so that who is about to delete the old one cannot meet the new.
-- name: restart
update registration set
    packet_id = $2,
    sha256 = $4,
    size = $5,
    received_at = $6,
    supervisor_approved = $7,
    state = 'PROCESSING',
    stage = $8,
    reason = '',
    mosip_code = '',
    attempts = 0,
    changed_at = clock_timestamp(),
    due_at = clock_timestamp(),
    leased_until = null,
    waits_for = null,
    reference_id = gen_random_uuid(),
    reference_forgotten = false
where registration_id = $1 and process = $3 and packet_id <> $2
and state = 'FAILED' and stage = $8 and reference_seq is null
returning *

-- A lease that was lost may have taken keys before the packet could not be opened any more.
-- name: forget_demographic_keys
with older as (delete from demographic_key_older where registration_id = $1)
delete from demographic_key where registration_id = $1

-- name: claim
update registration set
    lease_token = lease_token + 1,
    leased_until = clock_timestamp() + make_interval(secs => $1),
    due_at = clock_timestamp(),
    attempts = attempts + 1,
    waits_for = null
where registration_id = (
    select registration_id from registration
    where state = 'PROCESSING'
    and due_at <= clock_timestamp()
    and (leased_until is null or leased_until < clock_timestamp())
    order by due_at limit 1
    for update skip locked
)
returning *

-- name: hold_lease
select true from registration
where registration_id = $1 and lease_token = $2 and leased_until > clock_timestamp()
for update

-- The locks are taken in the order given.
-- name: hold_lease_and_lock_keys
with held as materialized (
    select from registration
    where registration_id = $1 and lease_token = $2 and leased_until > clock_timestamp()
    for update
)
select
    exists (select from held) as held,
    (select count(pg_advisory_xact_lock(lock)) from unnest($3::bigint[]) as lock) as locked

-- name: extend
update registration set leased_until = clock_timestamp() + make_interval(secs => $3)
where registration_id = $1 and lease_token = $2 and leased_until > clock_timestamp()
returning true

-- name: release
update registration set leased_until = null, due_at = clock_timestamp()
where registration_id = $1 and lease_token = $2 and leased_until is not null

-- name: lock_state
select state from registration where registration_id = $1 for share

-- One row of the journal for each stage that ended since the last commit, in their order.
-- name: advance
with advanced as (
    update registration set
        state = $3,
        stage = $4,
        reason = $5,
        mosip_code = $6,
        attempts = $7,
        due_at = clock_timestamp() + make_interval(secs => $8),
        leased_until = case when $9 then leased_until end,
        waits_for = $10,
        reference_epoch = $11,
        reference_txid = $12,
        reference_seq = $13,
        changed_at = clock_timestamp()
    where registration_id = $1 and lease_token = $2 and leased_until > clock_timestamp()
    returning *
),
noted as (
    insert into journal (registration_id, stage, outcome, reason, mosip_code, duration_s)
    select
        advanced.registration_id, ended.stage, ended.outcome, ended.reason, ended.mosip_code,
        ended.duration_s
    from
        advanced,
        unnest($14::text[], $15::text[], $16::text[], $17::text[], $18::float8[])
        with ordinality as ended (stage, outcome, reason, mosip_code, duration_s, place)
    order by ended.place
)
select * from advanced

-- name: wake_waiting
update registration set due_at = clock_timestamp(), waits_for = null
where waits_for = $1 and state = 'PROCESSING'

-- name: resume
update registration set
    state = 'PROCESSING', attempts = 0, due_at = clock_timestamp(), leased_until = null,
    changed_at = clock_timestamp()
where registration_id = $1 and state = 'PAUSED'
returning *

-- name: take_demographic_keys
with older as (
    insert into demographic_key_older (registration_id, language, key_version, key)
    select $1, taken.* from unnest($6::text[], $7::integer[], $8::bytea[]) as taken
    on conflict do nothing
)
insert into demographic_key (registration_id, language, key_version, key, sealed_input)
select $1, taken.*
from unnest($2::text[], $3::integer[], $4::bytea[], $5::text[])
    as taken (language, key_version, key, sealed_input)
where not exists (
    select from demographic_key known
    where known.registration_id = $1 and known.language = taken.language
)
on conflict do nothing

-- name: demographic_matches
-- One statement sees a row under one version or another, never under none.
with known as (
    select key, registration_id, seq from demographic_key where key = any ($3::bytea[])
    union all
    select older.key, registration_id, newest.seq
    from demographic_key_older older
    join demographic_key newest using (registration_id, language)
    where older.key = any ($3::bytea[])
)
select r.*, bool_or(other.seq < mine.seq) as earlier
from unnest($2::text[], $3::bytea[]) as asked (language, key)
join demographic_key mine on mine.registration_id = $1 and mine.language = asked.language
join known other on other.key = asked.key and other.registration_id <> $1
join registration r on r.registration_id = other.registration_id
group by r.registration_id

-- name: packets_in_flight
select centre_id, count(*) as items, min(received_at) as oldest_at
from registration where state in ('PROCESSING', 'PAUSED')
group by centre_id

-- name: registration
select * from registration where registration_id = $1

-- name: registrations_of
select * from registration where reference_id = any($1::uuid[])

-- name: put_candidate
insert into candidate (registration_id, candidate_registration_id, kind, similarity, by_template)
values ($1, $2, $3, $4, $5)
on conflict (registration_id, candidate_registration_id) do update set
    kind = excluded.kind, similarity = excluded.similarity, by_template = excluded.by_template
where excluded.similarity >= candidate.similarity

-- name: candidates_of
select * from candidate where registration_id = $1
order by similarity desc, candidate_registration_id

-- name: open_case
insert into adjudication_case (case_id, registration_id, opened_at, candidates, sealed_applicant)
values ($1, $2, $3, $4, $5)
on conflict (registration_id) do nothing

-- name: case_of
select * from adjudication_case where registration_id = $1

-- name: case
select * from adjudication_case where case_id = $1

-- name: lock_case
select * from adjudication_case where case_id = $1 for update

-- name: decide
update adjudication_case set decision = $2, decided_by = $3, sealed_reason = $4, decided_at = $5
where case_id = $1 and decision is null

-- name: open_cases
select * from adjudication_case where decision is null and seq > $1 order by seq limit $2

-- name: decided_cases
select * from adjudication_case where decision is not null and seq > $1 order by seq limit $2

-- name: journal_of
select * from journal where registration_id = $1 order by seq

-- name: registrations
select * from registration where seq < $1 order by seq desc limit $2

-- name: registrations_in_state
select * from registration where state = $3 and seq < $1 order by seq desc limit $2

-- name: refused_references
select registration_id, reference_id from registration
where state in ('REJECTED', 'FAILED') and not reference_forgotten and changed_at <= $1
order by changed_at limit $2
for update skip locked

-- name: forget_reference
update registration set reference_forgotten = true
where registration_id = $1 and reference_id = $2
