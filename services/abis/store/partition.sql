-- name: references_of_share
select reference_id, seq, sealed from reference
where seq > $1 and (
    get_byte(sha256(uuid_send(reference_id)), 0) * 256
    + get_byte(sha256(uuid_send(reference_id)), 1)
) % $3 = $4
order by seq limit $2

-- name: changes_of_share
select l.seq, l.kind, l.reference_id, r.sealed
from reference_log l
left join reference r on r.seq = l.seq and (
    get_byte(sha256(uuid_send(r.reference_id)), 0) * 256
    + get_byte(sha256(uuid_send(r.reference_id)), 1)
) % $3 = $4
where l.seq > $1
order by l.seq limit $2
