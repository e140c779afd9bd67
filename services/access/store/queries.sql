-- name: put
insert into operator (operator_id, roles, active, secret_digest, secret_version)
values ($1, $2, $3, $4, $5)
on conflict (operator_id) do update
set roles = excluded.roles, active = excluded.active, secret_digest = excluded.secret_digest,
    secret_version = excluded.secret_version, wrong_secrets = 0, locked_until = null,
    changed_at = now()

-- name: get
select operator_id, roles, active, secret_digest, secret_version, wrong_secrets, locked_until
from operator where operator_id = $1

-- name: count_wrong_secret
update operator
set wrong_secrets = case when wrong_secrets + 1 > $2 then 0 else wrong_secrets + 1 end,
    locked_until = case when wrong_secrets + 1 > $2 then $3 else locked_until end
where operator_id = $1
returning locked_until = $3 as locked

-- name: forget_wrong_secrets
update operator set wrong_secrets = 0, locked_until = null where operator_id = $1

-- name: renew_secret
update operator set secret_digest = $3, secret_version = $4
where operator_id = $1 and secret_digest = $2 and secret_version < $4
