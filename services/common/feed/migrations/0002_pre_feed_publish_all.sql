-- Writes events in their order and returns how many. Called by name from services' own statements
-- that do something and tell of it at once, so that the table stays the feed's business.
-- plpgsql, which keeps the plan.
create function feed_publish_all(in_partition smallint, event_types text[], payloads bytea[])
returns bigint language plpgsql as $$
declare
    written bigint;
begin
    insert into feed (epoch, partition, event_type, payload)
    select (select max(e.epoch) from feed_epoch e), in_partition, told.event_type, told.payload
    from unnest(event_types, payloads) with ordinality as told (event_type, payload, place)
    order by told.place;
    get diagnostics written = row_count;
    return written;
end
$$;
