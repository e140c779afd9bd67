-- name: partner
select * from partner where partner_id = $1

-- Holds also an id that nothing has yet: of two who add it at once the second sees the first's.
-- name: hold_id
select pg_advisory_xact_lock(hashtextextended($1, 0))

-- name: lock_partner
select * from partner where partner_id = $1 for update

-- name: partners
select * from partner where partner_id > $1 order by partner_id limit $2

-- name: put_partner
insert into partner (partner_id, type, organisation, status, certificates, changed_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (partner_id) do update
set status = excluded.status, certificates = excluded.certificates, changed_at = excluded.changed_at

-- name: authorities
select certificate from authority where domain = $1 order by added_at

-- name: add_authority
insert into authority (domain, thumbprint, certificate) values ($1, $2, $3)
on conflict do nothing
returning thumbprint

-- name: lock_policy
select * from policy where policy_id = $1 for update

-- name: put_policy
insert into policy (policy_id, name, document, status, valid_until) values ($1, $2, $3, $4, $5)
on conflict (policy_id) do update set status = excluded.status

-- name: lock_api_key
select * from api_key where key_id = $1 for update

-- name: api_keys
select * from api_key where partner_id = $1 order by created_at desc, key_id

-- name: put_api_key
insert into api_key (key_id, partner_id, policy_id, label, status, expires_at, hash, hash_version)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (key_id) do update set status = excluded.status

-- name: lock_licence
select * from licence where licence_id = $1 for update

-- name: licences
select * from licence where partner_id = $1 order by created_at desc, licence_id

-- name: put_licence
insert into licence (licence_id, partner_id, status, expires_at, hash, hash_version)
values ($1, $2, $3, $4, $5, $6)
on conflict (licence_id) do update set status = excluded.status
