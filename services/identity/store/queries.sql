-- name: identity_of_registration
select i.*, u.sealed as sealed_uin from identity i join uin u using (identity_id)
where i.registration_id = $1

-- name: identity_by_uin
select i.*, u.sealed as sealed_uin from uin u join identity i using (identity_id)
where (u.lookup_key, u.lookup_key_version) in (
    select * from unnest($1::bytea[], $2::integer[])
)

-- name: identity
select i.*, u.sealed as sealed_uin from identity i join uin u using (identity_id)
where i.identity_id = $1

-- name: lock_identity
select i.*, u.sealed as sealed_uin from identity i join uin u using (identity_id)
where i.identity_id = $1
for update of i

-- name: add_identity
insert into identity
    (identity_id, registration_id, state, version, sealed_record, created_at, changed_at)
values ($1, $2, 'DRAFT', 1, $3, $4, $4)
on conflict (registration_id) do nothing
returning identity_id

-- name: allocate_uin
update uin set identity_id = $1
where uin_id = (
    select uin_id from uin where identity_id is null
    order by uin_id limit 1
    for update skip locked
)
returning uin_id

-- name: set_state
update identity set
    state = $2,
    changed_at = $3,
    published_at = case when $2 = 'ACTIVATED' then coalesce(published_at, $3) else published_at end,
    published_lookup_version = coalesce($4, published_lookup_version)
where identity_id = $1

-- name: note_reason
insert into state_reason (identity_id, state, sealed_reason, changed_at) values ($1, $2, $3, $4)

-- name: mark_notified
update identity set notified_at = coalesce(notified_at, $2) where identity_id = $1

-- name: add_uins
with older as (
    select * from unnest($4::bigint[], $5::integer[], $6::bytea[]) as o (place, version, key)
),
added as (
    insert into uin (lookup_key_version, lookup_key, sealed)
    select given.version, given.key, given.sealed
    from unnest($1::integer[], $2::bytea[], $3::text[])
        with ordinality as given (version, key, sealed, place)
    where not exists (
        select from older join uin on uin.lookup_key = older.key
        and uin.lookup_key_version = older.version
        where older.place = given.place
    )
    and not exists (
        select from number_taken t where t.lookup_key = given.key
        and t.lookup_key_version = given.version
    )
    on conflict do nothing
    returning uin_id
),
taken as (
    insert into number_taken (lookup_key_version, lookup_key) select version, key from older
    on conflict do nothing
)
select count(*) from added

-- name: counts
select drawn - free as identities, free
from uin_drawn
cross join (select count(*) as free from uin where identity_id is null) as pool

-- name: free_uins
select count(*) from (select from uin where identity_id is null limit $1) as found

-- name: add_vid
with older as (select * from unnest($13::integer[], $14::bytea[]) as o (version, key)),
added as (
    insert into vid (
        vid_id, identity_id, type, state, lookup_key_version, lookup_key, published_key_version,
        published_key, sealed, expires_at, transactions_left, idempotency_key
    )
    select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
    where not exists (
        select from older join vid on vid.lookup_key = older.key
        and vid.lookup_key_version = older.version
    )
    and not exists (
        select from number_taken t where t.lookup_key = $6 and t.lookup_key_version = $5
    )
    on conflict do nothing
    returning vid_id
),
taken as (
    insert into number_taken (lookup_key_version, lookup_key) select version, key from older
    on conflict do nothing
)
select vid_id from added

-- name: vid_by_key
select * from vid where (lookup_key, lookup_key_version) in (
    select * from unnest($1::bytea[], $2::integer[])
)

-- name: vid_by_published_key
select * from vid
where (published_key = $1 and published_key_version = $2) or previous_published_key = $1
for update

-- name: vid
select * from vid where vid_id = $1

-- name: lock_vid
select * from vid where vid_id = $1 for update

-- name: vids_of
select * from vid where identity_id = $1 order by issued_seq desc limit $2

-- name: vid_of_call
select * from vid where identity_id = $1 and idempotency_key = $2

-- name: count_active_vids
select count(*) from vid
where identity_id = $1 and type = $2 and state = 'ACTIVE'
and (expires_at is null or expires_at > $3)

-- name: change_vid
update vid set state = $2, transactions_left = $3, replaced_by = coalesce($4, replaced_by)
where vid_id = $1

-- name: ended_vids
select * from vid where state = 'ACTIVE' and expires_at <= $1
order by expires_at limit $2
for update skip locked

-- name: keep_previous_published
update vid set previous_published_key = given.old
from unnest($1::uuid[], $2::bytea[]) as given (vid_id, old)
where vid.vid_id = given.vid_id

-- name: published_uin_versions
with recursive found as (
    (
        select min(coalesce(published_lookup_version, 1)) as version from identity
        where published_at is not null
    )
    union all
    (select (
        select min(coalesce(published_lookup_version, 1)) from identity
        where published_at is not null and coalesce(published_lookup_version, 1) > found.version
    ) from found where found.version is not null)
)
select version, (
    select count(*) from (
        select from identity
        where published_at is not null and coalesce(published_lookup_version, 1) = found.version
        limit $1
    ) as counted_rows
) as items
from found where version is not null

-- name: uins_published_below
select i.identity_id, u.sealed
from identity i join uin u using (identity_id)
where i.published_at is not null and coalesce(i.published_lookup_version, 1) < $1
order by coalesce(i.published_lookup_version, 1) limit $2

-- name: uins_published
update identity set published_lookup_version = $2
where identity_id = any ($1::uuid[]) and coalesce(published_lookup_version, 1) < $2
returning identity_id

-- name: published_record_versions
with recursive found as (
    (
        select min(published_record_version(payload)) as version from feed
        where event_type = 'idmesh.identity.v1.IdentityPublished'
    )
    union all
    (select (
        select min(published_record_version(payload)) from feed
        where event_type = 'idmesh.identity.v1.IdentityPublished'
        and published_record_version(payload) > found.version
    ) from found where found.version is not null)
)
select version, (
    select count(*) from (
        select from feed
        where event_type = 'idmesh.identity.v1.IdentityPublished'
        and published_record_version(payload) = found.version
        limit $1
    ) as counted_rows
) as items
from found where version > 0

-- name: records_published_below
select seq, payload from feed
where event_type = 'idmesh.identity.v1.IdentityPublished'
and published_record_version(payload) < $1
order by published_record_version(payload) limit $2

-- name: rewrap_published_records
select rewrap_published_records($1, $2, $3)

-- name: hold_numbers
-- Of two who draw one number, the second waits for the first's commit.
select pg_advisory_xact_lock(lock) from unnest($1::bigint[]) as lock
