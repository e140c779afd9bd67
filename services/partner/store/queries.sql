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
insert into partner (partner_id, type, organisation, status, contact_email, changed_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (partner_id) do update set
    status = excluded.status,
    contact_email = excluded.contact_email,
    changed_at = excluded.changed_at

-- name: certificates
select * from partner_certificate where partner_id = any($1)
order by partner_id, added_at desc, kind

-- name: put_certificate
insert into partner_certificate as present
    (partner_id, thumbprint, kind, certificate, chain, original, added_at, usable_until,
    withdrawn_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (partner_id, thumbprint) do update set
    added_at = excluded.added_at,
    usable_until = excluded.usable_until,
    withdrawn_at = excluded.withdrawn_at
where (present.added_at, present.usable_until, present.withdrawn_at) is distinct from
    (excluded.added_at, excluded.usable_until, excluded.withdrawn_at)

-- name: authorities
select * from authority where active order by added_at

-- name: all_authorities
select * from authority
where ($1 = 0 or domain = $1) and (domain, thumbprint) > ($2, $3)
order by domain, thumbprint limit $4

-- name: lock_authority
select * from authority where domain = $1 and thumbprint = $2 for update

-- name: put_authority
insert into authority (domain, thumbprint, certificate, active, own) values ($1, $2, $3, $4, $5)
on conflict (domain, thumbprint) do update set active = excluded.active

-- name: are_revoked
select distinct issuer, serial from revoked_serial
join unnest($1::bytea[], $2::bytea[]) as asked (issuer, serial) using (issuer, serial)

-- name: add_revoked
insert into revoked_serial (issuer, serial, source) select $1, unnest($2::bytea[]), $3
on conflict do nothing

-- name: remove_revoked
delete from revoked_serial where issuer = $1 and serial = any($2) and source = $3

-- name: add_revocation_due
insert into revocation_due (mount, serial) values ($1, $2) on conflict do nothing

-- name: revocations_due
select mount, serial from revocation_due order by mount, serial limit $1

-- name: end_revocation_due
delete from revocation_due where mount = $1 and serial = $2

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

-- name: listed
select serial from revoked_serial where issuer = $1 and source = $2

-- name: newest_list
select max(this_update) from revocation_source where issuer = $1 and kind = $2

-- name: believed
select good_until from revocation_state where issuer = $1

-- name: believe
insert into revocation_state (issuer, good_until) values ($1, $2)
on conflict (issuer) do update set good_until = excluded.good_until

-- name: believe_always
delete from revocation_state where issuer = $1

-- name: revocation_sources
select * from revocation_source order by failures desc, kind, url, issuer, serial limit $1

-- name: revocation_sources_due
select * from revocation_source where next_check_at <= $1 order by next_check_at limit $2

-- name: lock_revocation_source
select * from revocation_source where kind = $1 and url = $2 and issuer = $3 and serial = $4
for update

-- name: put_revocation_source
insert into revocation_source (
    kind, url, issuer, authority, serial, certificate, domain, this_update, next_update,
    next_check_at, failures, last_error
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (kind, url, issuer, serial) do update set
    this_update = excluded.this_update,
    next_update = excluded.next_update,
    next_check_at = excluded.next_check_at,
    failures = excluded.failures,
    last_error = excluded.last_error

-- name: expiring
select certificate.* from partner_certificate as certificate
join partner using (partner_id)
where withdrawn_at is null and partner.status = 1
and usable_until > $1 and usable_until <= $2
order by usable_until, partner_id, thumbprint limit $3

-- name: partners_of
select * from partner where partner_id = any($1)

-- name: add_warning
insert into expiry_warning (partner_id, thumbprint, days) values ($1, $2, $3)
on conflict do nothing
returning true

-- name: renew_api_key_hash
update api_key set hash = $2, hash_version = $3 where hash = $1 and hash_version < $3
returning *

-- name: renew_licence_hash
update licence set hash = $2, hash_version = $3 where hash = $1 and hash_version < $3
returning *
