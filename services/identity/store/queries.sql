-- name: identity_of_registration
select i.*, u.sealed as sealed_uin from identity i join uin u using (identity_id)
where i.registration_id = $1

-- name: identity_by_uin
select i.*, u.sealed as sealed_uin from uin u join identity i using (identity_id)
where u.lookup_key = $1 and u.lookup_key_version = $2

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
    published_at = case when $2 = 'ACTIVATED' then coalesce(published_at, $3) else published_at end
where identity_id = $1

-- name: note_reason
insert into state_reason (identity_id, state, sealed_reason, changed_at) values ($1, $2, $3, $4)

-- name: mark_notified
update identity set notified_at = coalesce(notified_at, $2) where identity_id = $1

-- name: add_uins
insert into uin (lookup_key_version, lookup_key, sealed)
select * from unnest($1::integer[], $2::bytea[], $3::text[])
on conflict do nothing

-- name: counts
select drawn - free as identities, free
from uin_drawn
cross join (select count(*) as free from uin where identity_id is null) as pool

-- name: free_uins
select count(*) from (select from uin where identity_id is null limit $1) as found

-- name: lookup_versions
with recursive versions as (
    (select min(lookup_key_version) as version from uin)
    union all
    select (select min(lookup_key_version) from uin where lookup_key_version > versions.version)
    from versions where versions.version is not null
)
select version from versions where version is not null

-- name: add_vid
insert into vid (
    vid_id, identity_id, type, state, lookup_key_version, lookup_key, published_key_version,
    published_key, sealed, expires_at, transactions_left, idempotency_key
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict do nothing
returning vid_id

-- name: vid_by_key
select * from vid where lookup_key = $1 and lookup_key_version = $2

-- name: vid_by_published_key
select * from vid where published_key = $1 and published_key_version = $2 for update

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
