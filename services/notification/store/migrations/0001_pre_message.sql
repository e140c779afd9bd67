create table message (
    message_id      uuid primary key,
    idempotency_key text not null unique,
    channel         smallint not null,
    state           text not null default 'queued'
                    check (state in ('queued', 'sent', 'failed', 'expired')),
    -- Recipient and text under core/transit/message; erased when the message is finished.
    sealed          text,
    reason          text not null default '',
    attempts        integer not null default 0,
    accepted_at     timestamptz not null,
    expires_at      timestamptz,
    next_attempt_at timestamptz not null,
    finished_at     timestamptz,
    check ((state = 'queued') = (sealed is not null))
);

create index message_due on message (next_attempt_at) where state = 'queued';
