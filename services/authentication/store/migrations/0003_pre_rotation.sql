-- What is still under an old version of a key is found by these.
create index identity_sealed_version on identity (box_key_version(sealed));
create index identity_lookup_version on identity (lookup_key_version);
create index vid_lookup_version on vid (lookup_key_version);
create index psut_sealed_version on psut (ciphertext_key_version(sealed));

-- Of the look-up key; the others' default is right for the minutes that they live.
alter table otp add column lookup_key_version integer not null default 1;

-- A VID is found by another hash now: an event that still names it by the old one means it.
create table vid_key_replaced (
    old_key bytea primary key,
    new_key bytea not null,
    new_version integer not null,
    replaced_at timestamptz not null default clock_timestamp()
);
create index vid_key_replaced_at on vid_key_replaced (replaced_at);
