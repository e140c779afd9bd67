-- Whoever several requests at once name, and whether each was decided before.
-- name: find_by_uin
select
    asked.place, i.identity_id, i.version, i.sealed, i.wrapped_key, i.state,
    exists (
        select from replay r
        where r.partner_id = asked.partner_id
        and r.transaction_id = asked.transaction_id
        and r.body_hash = asked.body_hash
    ) as replayed
from unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[])
    with ordinality as asked (lookup_key, partner_id, transaction_id, body_hash, place)
join identity i on i.uin_lookup_key = asked.lookup_key

-- name: find_by_vid
select
    asked.place, i.identity_id, i.version, i.sealed, i.wrapped_key, i.state,
    v.vid_lookup_key as vid_key, v.lookup_key_version as vid_key_version, v.state as vid_state, v.expires_at,
    v.transactions_left,
    exists (
        select from replay r
        where r.partner_id = asked.partner_id
        and r.transaction_id = asked.transaction_id
        and r.body_hash = asked.body_hash
    ) as replayed
from unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[])
    with ordinality as asked (lookup_key, partner_id, transaction_id, body_hash, place)
join vid v on v.vid_lookup_key = asked.lookup_key
join identity i using (identity_id)

-- name: put_identity
insert into identity (
    identity_id, version, uin_lookup_key, lookup_key_version, sealed, wrapped_key, state
)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (identity_id) do update set
    version = excluded.version,
    uin_lookup_key = case
        when identity.lookup_key_version > excluded.lookup_key_version
        then identity.uin_lookup_key else excluded.uin_lookup_key
    end,
    lookup_key_version = greatest(identity.lookup_key_version, excluded.lookup_key_version),
    sealed = excluded.sealed,
    wrapped_key = excluded.wrapped_key,
    state = excluded.state,
    applied_at = clock_timestamp()
where identity.version < excluded.version

-- name: set_identity_state
update identity set state = $2, applied_at = clock_timestamp()
where identity_id = $1

-- name: put_vid
-- A count that identity has not yet lowered for a use that was committed here does not rise again.
insert into vid (
    vid_lookup_key, lookup_key_version, identity_id, vid_type, state, expires_at, transactions_left
)
select coalesce(known.new_key, $1), coalesce(known.new_version, $2), $3, $4, $5, $6, $7
from (select) as told left join vid_key_replaced known on known.old_key = $1
on conflict (vid_lookup_key) do update set
    lookup_key_version = excluded.lookup_key_version,
    identity_id = excluded.identity_id,
    vid_type = excluded.vid_type,
    state = excluded.state,
    expires_at = excluded.expires_at,
    transactions_left = least(vid.transactions_left, excluded.transactions_left),
    applied_at = clock_timestamp()

-- name: clear_identities
with gone as (delete from vid),
meant as (delete from vid_key_replaced)
delete from identity

-- name: count_followed
select
    (select count(*) from identity) as identities,
    (select count(*) from vid) as vids

-- name: use_vid
update vid set transactions_left = transactions_left - 1
where vid_lookup_key = coalesce((select new_key from vid_key_replaced where old_key = $1), $1)
and state = $2
and (expires_at is null or expires_at > $3)
and (transactions_left is null or transactions_left > 0)
returning transactions_left

-- name: put_partner
insert into partner (partner_id, organisation)
values ($1, $2)
on conflict (partner_id) do update set organisation = excluded.organisation

-- name: get_partner
select organisation from partner where partner_id = $1

-- name: put_policy
insert into policy (policy_id, document, active, valid_until)
values ($1, $2, $3, $4)
on conflict (policy_id) do update set
    document = excluded.document,
    active = excluded.active,
    valid_until = excluded.valid_until

-- name: get_policy
select document from policy where policy_id = $1

-- name: put_trust_anchor
insert into trust_anchor (domain, thumbprint, certificate)
values ($1, $2, $3)
on conflict do nothing

-- name: list_trust_anchors
select certificate from trust_anchor where domain = $1 order by thumbprint

-- name: remove_trust_anchor
delete from trust_anchor where domain = $1 and thumbprint = $2

-- name: add_revoked
insert into revoked_serial (issuer, serial) select $1, unnest($2::bytea[]) on conflict do nothing

-- name: remove_revoked
delete from revoked_serial where issuer = $1 and serial = any($2)

-- name: put_revocation_state
insert into revocation_state (issuer, good_until) values ($1, $2)
on conflict (issuer) do update set good_until = excluded.good_until

-- name: clear_revocation_state
delete from revocation_state where issuer = $1

-- name: revoked_of
select asked.issuer, revoked.serial is not null as revoked, state.good_until
from unnest($1::bytea[], $2::bytea[]) as asked (issuer, serial)
left join revoked_serial as revoked using (issuer, serial)
left join revocation_state as state on state.issuer = asked.issuer

-- name: clear_partners
with gone as (delete from policy),
unrevoked as (delete from revoked_serial),
unbound as (delete from revocation_state),
nameless as (delete from partner)
delete from trust_anchor

-- name: list_envelope_certificates
select thumbprint, reference_id, key_version, certificate, not_after
from envelope_certificate
order by made_at desc, thumbprint

-- name: lock_envelope_certificates
select pg_advisory_xact_lock(hashtextextended('envelope_certificate', 0))

-- name: add_envelope_certificate
insert into envelope_certificate (thumbprint, reference_id, key_version, certificate, not_after)
values ($1, $2, $3, $4, $5)
on conflict do nothing

-- name: find_otp
select
    individual_lookup_key, lookup_key_version, identity_id, partner_id, transaction_id, mac,
    mac_version, generated_at, expires_at, used
from otp
where individual_lookup_key = any ($1::bytea[])
order by generated_at desc limit 1

-- name: find_otp_guard
select failures, frozen_until, window_started_at, requests
from otp_guard
where identity_id = $1

-- name: lock_otp_guard
insert into otp_guard (identity_id, window_started_at)
values ($1, $2)
on conflict (identity_id) do update set identity_id = excluded.identity_id
returning failures, frozen_until, window_started_at, requests

-- name: put_otp_guard
update otp_guard set failures = $2, frozen_until = $3, window_started_at = $4, requests = $5
where identity_id = $1

-- name: put_otp
insert into otp (
    individual_lookup_key, identity_id, partner_id, transaction_id, mac, mac_version,
    generated_at, expires_at, lookup_key_version
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (individual_lookup_key) do update set
    identity_id = excluded.identity_id,
    partner_id = excluded.partner_id,
    transaction_id = excluded.transaction_id,
    mac = excluded.mac,
    mac_version = excluded.mac_version,
    generated_at = excluded.generated_at,
    expires_at = excluded.expires_at,
    lookup_key_version = excluded.lookup_key_version,
    used = false

-- name: use_otp
update otp set used = true
where individual_lookup_key = $1 and mac = $2 and not used
returning true

-- name: add_transactions
-- Of one request or several, each with its audit record. Nothing is written of a replay; $17 to
-- $20 are null where that is not to be checked. The order keeps two such statements from waiting
-- for each other.
with decided as materialized (
    select * from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::smallint[],
        $8::text[], $9::boolean[], $10::text[], $11::uuid[], $12::timestamptz[],
        $13::timestamptz[], $14::bytea[], $15::text[], $16::text[], $17::text[],
        $18::text[], $19::bytea[], $20::timestamptz[], $21::text[], $22::bytea[]
    ) as decided (
        auth_transaction_id, partner_id, misp_id, policy_id, api_key_id, transaction_id, endpoint,
        factors, succeeded, error_codes, identity_id, requested_at, responded_at, body_hash,
        request_signature, response_signature,
        replay_partner_id, replay_transaction_id, replay_body_hash, replay_expires_at,
        event_type, event
    )
),
fresh as (
    insert into replay (partner_id, transaction_id, body_hash, expires_at)
    select replay_partner_id, replay_transaction_id, replay_body_hash, replay_expires_at
    from decided
    where replay_body_hash is not null
    order by replay_partner_id, replay_transaction_id, replay_body_hash
    on conflict do nothing
    returning partner_id, transaction_id, body_hash
),
written as (
    insert into auth_transaction (
        auth_transaction_id, partner_id, misp_id, policy_id, api_key_id, transaction_id, endpoint,
        factors, succeeded, error_codes, identity_id, requested_at, responded_at, body_hash,
        request_signature, response_signature
    )
    select
        auth_transaction_id, partner_id, misp_id, policy_id, api_key_id, transaction_id, endpoint,
        string_to_array(factors, ','), succeeded, string_to_array(error_codes, ','), identity_id,
        requested_at, responded_at, body_hash, request_signature, response_signature
    from decided
    where replay_body_hash is null
    or (replay_partner_id, replay_transaction_id, replay_body_hash) in (
        select partner_id, transaction_id, body_hash from fresh
    )
    returning auth_transaction_id
)
select
    array_agg(auth_transaction_id) as written,
    feed_publish_all(0::smallint, array_agg(event_type), array_agg(event)) as told
from written
join decided using (auth_transaction_id)

-- name: prune_replay
delete from replay
where ctid = any (array(select ctid from replay where expires_at < $1 limit $2))

-- name: prune_otp
delete from otp
where ctid = any (array(select ctid from otp where expires_at < $1 limit $2))

-- name: get_psut
select sealed from psut where identity_id = $1 and scope = $2

-- name: add_psut
insert into psut (identity_id, scope, sealed)
values ($1, $2, $3)
on conflict do nothing

-- name: replace_uin_key
update identity set uin_lookup_key = $2, lookup_key_version = $3
where identity_id = $1 and lookup_key_version < $3

-- name: replace_vid_key
-- Where the VID was told of by its new hash already, that is the newer word.
with noted as (
    insert into vid_key_replaced (old_key, new_key, new_version) values ($1, $2, $3)
    on conflict (old_key) do update set
        new_key = excluded.new_key, new_version = excluded.new_version
),
doubled as (
    delete from vid where vid_lookup_key = $1
    and exists (select from vid as other where other.vid_lookup_key = $2)
)
update vid set vid_lookup_key = $2, lookup_key_version = $3
where vid_lookup_key = $1
and not exists (select from vid as other where other.vid_lookup_key = $2)

-- name: prune_replaced_keys
delete from vid_key_replaced
where ctid = any (array(
    select ctid from vid_key_replaced where replaced_at < $1::timestamptz - interval '7 days'
    limit $2
))

-- name: envelope_versions
with certificate as (
    select key_version, made_at, least(
        not_after,
        lead(made_at) over (order by made_at, thumbprint) + $2::interval
    ) as until
    from envelope_certificate where reference_id = $1
)
select key_version, count(*) as items, min(made_at) as oldest_at, max(until) as needed_until
from certificate where until > clock_timestamp()
group by key_version order by key_version
