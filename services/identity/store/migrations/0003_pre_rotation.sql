-- What is still under an old version of a key is found by these.
create index uin_sealed_version on uin (ciphertext_key_version(sealed));
create index vid_sealed_version on vid (ciphertext_key_version(sealed));
create index vid_lookup_version on vid (lookup_key_version);
create index vid_published_version on vid (published_key_version);
create index state_reason_sealed_version on state_reason (ciphertext_key_version(sealed_reason));
create index identity_sealed_version on identity (box_key_version(sealed_record));

-- What a VID was known by before its published key was computed anew: authentication may tell of
-- a use by it for a while.
alter table vid add column previous_published_key bytea;
create index vid_previous_published on vid (previous_published_key)
    where previous_published_key is not null;

-- The version of ida/transit/id-lookup that authentication was last told a UIN's hash of. Null:
-- the one that was the first.
alter table identity add column published_lookup_version integer;
create index identity_published_version on identity (coalesce(published_lookup_version, 1))
    where published_at is not null;

-- A number drawn while its look-up key has several versions is taken under each of them, so that
-- nobody takes it again who knows another version as the newest.
create table number_taken (
    lookup_key bytea not null,
    lookup_key_version integer not null,
    primary key (lookup_key, lookup_key_version)
);

-- Records in the feed are sealed for authentication: whoever follows from the beginning opens them.
create function published_record_version(payload bytea) returns integer
language sql immutable strict parallel safe set search_path from current as $$
    select case position('\x49444d'::bytea in payload)
        when 0 then 0
        else box_key_version(substring(payload from position('\x49444d'::bytea in payload) for 40))
    end
$$;
create index feed_record_version on feed (published_record_version(payload))
    where event_type = 'idmesh.identity.v1.IdentityPublished';

-- The service's role may not change its feed. This lets it wrap data keys anew: of the whole event
-- nothing but that may differ, and what comes before the sealed record not at all.
create function rewrap_published_records(seqs bigint[], olds bytea[], news bytea[])
returns setof bigint language sql security definer set search_path from current as $$
    update feed set payload = given.new
    from unnest(seqs, olds, news) as given (seq, old, new)
    where feed.seq = given.seq and feed.payload = given.old
    and feed.event_type = 'idmesh.identity.v1.IdentityPublished'
    and substring(given.new from 1 for 54) = substring(given.old from 1 for 54)
    and published_record_version(given.new) > published_record_version(given.old)
    returning feed.seq
$$;
