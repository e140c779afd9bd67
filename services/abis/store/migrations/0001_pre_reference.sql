-- Biometric references: random ids and sealed templates. The log says in which order they came
-- and went; whoever writes to it holds a lock until the commit, so its order is that of commits.

create table reference_log (
    seq bigint generated always as identity primary key,
    reference_id uuid not null,
    kind text not null check (kind in ('INSERTED', 'DELETED')),
    changed_at timestamptz not null default clock_timestamp()
);

create table reference (
    reference_id uuid primary key,
    -- The entry of the log that inserted it.
    seq bigint not null unique,
    templates smallint not null,
    sealed bytea not null
);

-- Ciphertext does not compress; reading it in one piece is quicker.
alter table reference alter column sealed set storage external;
