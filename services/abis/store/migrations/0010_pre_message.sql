-- MOSIP's messages that change something, for as long as they may be sent again: the same request
-- is served once.

create table message (
    request_id text primary key,
    -- SHA-256 of what was asked for.
    digest bytea not null,
    done boolean not null default false,
    received_at timestamptz not null default clock_timestamp()
);

create index message_received_at on message (received_at);
