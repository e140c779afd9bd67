-- The feed of a service, in each service's schema; see services/common/feed.

-- Positions of one epoch cannot be compared with those of another: transaction ids start
-- again in a restored database. Events with a sequence from first_seq on are of the epoch.
create table feed_epoch (
    epoch bigint primary key,
    first_seq bigint not null,
    -- Of the database cluster; null where the server does not tell it.
    system_identifier bigint,
    began_at timestamptz not null default clock_timestamp()
);

create table feed (
    seq bigint generated always as identity,
    epoch bigint not null,
    txid xid8 not null default pg_current_xact_id(),
    partition smallint not null default 0,
    event_type text not null,
    payload bytea not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (partition, epoch, txid, seq)
);

-- How far this service has followed others.
create table feed_position (
    source text not null,
    partition smallint not null,
    epoch bigint not null,
    txid xid8 not null,
    seq bigint not null,
    stored_at timestamptz not null default clock_timestamp(),
    primary key (source, partition)
);

create function feed_system_identifier() returns bigint language plpgsql stable as $$
begin
    return (select system_identifier from pg_control_system());
exception when insufficient_privilege then
    return null;
end
$$;

-- Returns the new epoch. Waits for open writers of the feed: those after it see the new epoch.
create function feed_begin_epoch() returns bigint language plpgsql as $$
declare
    fresh bigint;
begin
    lock table feed in share row exclusive mode;
    insert into feed_epoch (epoch, first_seq, system_identifier)
    select
        coalesce(max(epoch), 0) + 1,
        nextval(pg_get_serial_sequence('feed', 'seq')) + 1,
        feed_system_identifier()
    from feed_epoch
    returning epoch into fresh;
    return fresh;
end
$$;

-- A dump that was loaded into another cluster keeps its tables and loses its transaction ids.
create function feed_begin_epoch_if_moved() returns void language plpgsql as $$
begin
    if exists (
        select from feed_epoch
        where epoch = (select max(epoch) from feed_epoch)
        and system_identifier <> feed_system_identifier()
    ) then
        perform feed_begin_epoch();
    end if;
end
$$;

revoke all on function feed_begin_epoch() from public;
revoke all on function feed_begin_epoch_if_moved() from public;

select feed_begin_epoch();
