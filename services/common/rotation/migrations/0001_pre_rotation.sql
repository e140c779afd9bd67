-- Which version of a Vault key a value needs: in every schema, for the indexes that find what is
-- still under an old one. Zero: the value is under no key.

create function box_key_version(sealed bytea) returns integer
language sql immutable strict parallel safe as $$
    select case
        when length(sealed) < 10 then 0
        when substring(sealed from 1 for 4) = '\x49444d02' then
            (get_byte(sealed, 6) << 24) + (get_byte(sealed, 7) << 16)
            + (get_byte(sealed, 8) << 8) + get_byte(sealed, 9)
        when substring(sealed from 1 for 4) = '\x49444d01' then coalesce(
            substring(encode(substring(sealed from 8 for 20), 'escape') from '^vault:v([0-9]{1,9}):')
            ::integer, 0)
        else 0
    end
$$;

create function ciphertext_key_version(sealed text) returns integer
language sql immutable strict parallel safe as $$
    select coalesce(substring(sealed from '^vault:v([0-9]{1,9}):')::integer, 0)
$$;

-- The background work of a key: one row each. What is left to do is in the data; this tells how
-- it goes, and which instance is at it.
create table key_rewrapping (
    key text primary key,
    target_version integer not null,
    total bigint not null,
    done bigint not null default 0,
    refused bigint not null default 0,
    worker uuid,
    leased_until timestamptz not null default clock_timestamp(),
    started_at timestamptz not null default clock_timestamp(),
    resumed_at timestamptz not null default clock_timestamp(),
    done_when_resumed bigint not null default 0,
    moved_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
