-- name: put_client
insert into operator (operator_id, roles, active, secret_digest, secret_version)
values ($1, $2, $3, $4, $5)
on conflict (operator_id) do update
set roles = excluded.roles, active = excluded.active, secret_digest = excluded.secret_digest,
    secret_version = excluded.secret_version, generation = operator.generation + 1,
    changed_at = now()
where not operator.person
returning generation

-- name: create_person
insert into operator (operator_id, roles, active, person) values ($1, $2, $3, true)

-- name: get
select operator_id, roles, active, secret_digest, secret_version, person, generation
from operator where operator_id = $1

-- name: client_keys
select key_id, jwk from client_key where operator_id = $1 order by added_at, key_id

-- name: listed
select operator.*, credentials.password, credentials.change_by, credentials.totp,
       credentials.totp_confirmed, credentials.last_step
from operator left join credentials using (operator_id)
order by operator_id

-- name: change
update operator
set active = coalesce($2, active), roles = coalesce($3, roles), generation = generation + 1,
    changed_at = now()
where operator_id = $1
returning generation

-- name: raise_generation
update operator set generation = generation + 1 where operator_id = $1 returning generation

-- name: revoke_operator
insert into revoked_operator (operator_id, least_generation, expires_at) values ($1, $2, $3)
on conflict (operator_id) do update
set least_generation = greatest(excluded.least_generation, revoked_operator.least_generation),
    expires_at = greatest(excluded.expires_at, revoked_operator.expires_at)

-- name: forget_refresh_tokens
delete from refresh_token where operator_id = $1

-- name: add_key
insert into client_key (operator_id, key_id, jwk)
select operator_id, $2, $3 from operator where operator_id = $1 and not person
on conflict (operator_id, key_id) do update set jwk = excluded.jwk
returning key_id

-- name: keep_secret
update operator set secret_digest = $3, secret_version = $4
where operator_id = $1 and secret_digest = $2

-- name: trust_changed
update trust_version set version = version + 1

-- name: credentials
select password, change_by, totp, totp_confirmed, last_step from credentials where operator_id = $1

-- name: add_credentials
insert into credentials (operator_id, password, change_by) values ($1, $2, $3)

-- name: set_password
update credentials set password = $2, change_by = $3 where operator_id = $1

-- name: rehashed
update credentials set password = $3 where operator_id = $1 and password = $2

-- name: begin_totp
update credentials set totp = $2, last_step = 0 where operator_id = $1 and not totp_confirmed

-- name: confirm_totp
update credentials set totp_confirmed = true, last_step = $2
where operator_id = $1 and not totp_confirmed

-- name: forget_totp
update credentials set totp = null, totp_confirmed = false, last_step = 0 where operator_id = $1

-- name: use_step
update credentials set last_step = $2 where operator_id = $1 and last_step < $2
returning true

-- name: forget_recovery_codes
delete from recovery_code where operator_id = $1

-- name: add_recovery_code
insert into recovery_code (operator_id, digest, version) values ($1, $2, $3)

-- name: recovery_versions
select distinct version from recovery_code where operator_id = $1 order by version

-- name: use_recovery_code
delete from recovery_code
where operator_id = $1
    and (digest, version) in (select * from unnest($2::bytea[], $3::integer[]))
returning true

-- name: attempts_of
select source, wrong, locked_until, succeeded_at from attempts
where operator_id = $1 and source in ($2, '')

-- name: attempts_start
insert into attempts (operator_id, source) values ($1, $2), ($1, '')
on conflict do nothing

-- name: attempts_lock
select source, wrong, locked_until, succeeded_at from attempts
where operator_id = $1 and source in ($2, '') order by source for update

-- name: attempts_set
update attempts set wrong = $3, locked_until = $4, changed_at = $5
where operator_id = $1 and source = $2

-- name: attempts_succeeded
insert into attempts (operator_id, source, succeeded_at, changed_at) values ($1, $2, $3, $3)
on conflict (operator_id, source) do update
set wrong = 0, locked_until = null, succeeded_at = $3, changed_at = $3

-- name: attempts_less
update attempts set wrong = greatest(wrong - 1, 0) where operator_id = $1 and source = ''

-- name: attempts_locked
select distinct operator_id from attempts where locked_until > $1

-- name: attempts_forget
delete from attempts where operator_id = $1

-- name: spend_assertion
insert into spent_assertion (client_id, assertion_id, expires_at) values ($1, $2, $3)
on conflict do nothing returning true

-- name: add_refresh
insert into refresh_token
    (digest, version, session_id, operator_id, scope, expires_at, ends_at)
values ($1, $2, $3, $4, $5, $6, $7)

-- name: use_refresh
update refresh_token as kept set spent = true
from (select * from refresh_token where digest = $1 and version = $2 for update) as was
where kept.digest = was.digest and kept.version = was.version
returning was.session_id, was.operator_id, was.scope, was.spent, was.expires_at, was.ends_at

-- name: end_session
delete from refresh_token where session_id = $1

-- name: revoke_token
insert into revoked_token (token_id, expires_at) values ($1, $2) on conflict do nothing

-- name: trust_version
select version from trust_version

-- name: signers
select kid, statement, certified_by, usable_from, signs_until, verifies_until
from token_signer where verifies_until > $1

-- name: add_signer
insert into token_signer (kid, statement, certified_by, usable_from, signs_until, verifies_until)
values ($1, $2, $3, $4, $5, $6)

-- name: signer_use
select certified_by, count(*) as items, min(usable_from) as oldest_at, max(verifies_until) as until
from token_signer where verifies_until > now() group by certified_by order by certified_by

-- name: certifying_use
select version, next_at + $1::interval as until
from (
    select version, lead(seen_at) over (order by version) as next_at from certifying_key
) as seen
where next_at is null or next_at + $1::interval > now()
order by version

-- name: revoked_tokens
select token_id from revoked_token where expires_at > $1

-- name: revoked_operators
select operator_id, least_generation from revoked_operator where expires_at > $1

-- name: see_certifying_key
insert into certifying_key (version, seen_at)
select $1::integer,
    case when exists (select from certifying_key) then $2::timestamptz else 'epoch' end
on conflict do nothing

-- name: certifying_keys
select version, seen_at from certifying_key order by version

-- name: forget_old
with signers as (delete from token_signer where verifies_until < $1),
    tokens as (delete from revoked_token where expires_at < $1),
    operators as (delete from revoked_operator where expires_at < $1),
    assertions as (delete from spent_assertion where expires_at < $1),
    refreshed as (delete from refresh_token where ends_at < $1)
delete from attempts
where changed_at < $2 and (succeeded_at is null or succeeded_at < $3)
    and (locked_until is null or locked_until < $1)
