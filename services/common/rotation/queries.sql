-- name: begin_rewrapping
-- One worker at a time; a row whose run is over begins a new run.
insert into key_rewrapping as job (key, target_version, total, worker, leased_until)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5))
on conflict (key) do update set
    total = case when job.finished_at is null and job.target_version = $2
        then greatest(job.total, job.done + $3) else $3 end,
    done = case when job.finished_at is null and job.target_version = $2 then job.done else 0 end,
    started_at = case when job.finished_at is null and job.target_version = $2
        then job.started_at else clock_timestamp() end,
    done_when_resumed = case when job.finished_at is null and job.target_version = $2
        then job.done else 0 end,
    resumed_at = clock_timestamp(),
    target_version = $2,
    refused = 0,
    worker = $4,
    leased_until = clock_timestamp() + make_interval(secs => $5),
    moved_at = clock_timestamp(),
    finished_at = null
where job.worker = $4 or job.leased_until < clock_timestamp()
returning key

-- name: count_rewrapped
update key_rewrapping set
    done = done + $3, total = greatest(total, done + $3), moved_at = clock_timestamp(),
    leased_until = clock_timestamp() + make_interval(secs => $4)
where key = $1 and worker = $2

-- name: refuse_rewrapping
update key_rewrapping set refused = $3 where key = $1 and worker = $2

-- name: finish_rewrapping
update key_rewrapping set
    finished_at = clock_timestamp(), leased_until = clock_timestamp(), moved_at = clock_timestamp()
where key = $1 and worker = $2 and finished_at is null

-- name: leave_rewrapping
update key_rewrapping set leased_until = clock_timestamp()
where key = $1 and worker = $2 and finished_at is null

-- name: rewrappings
select key, target_version, total, done, refused, started_at, resumed_at, done_when_resumed,
    moved_at, finished_at
from key_rewrapping where $1 = '' or key = $1
order by key
