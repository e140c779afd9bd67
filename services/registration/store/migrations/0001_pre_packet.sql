-- A packet from its announcement on. Rows are never deleted; the ciphertext lies in the object
-- store.
create table packet (
    packet_id text primary key,
    registration_id text not null,
    process text not null,
    centre_id text not null,
    machine_id text not null,
    -- Of the packet as it is uploaded.
    sha256 bytea not null check (octet_length(sha256) = 32),
    size bigint not null check (size > 0),
    supervisor_approved boolean not null,
    language text not null,
    synced_at timestamptz not null,
    -- Null until the ciphertext is stored.
    received_at timestamptz,
    -- ExternalStatus in domain/packet.py.
    status smallint not null check (status between 1 and 8),
    status_reason text not null default '',
    status_changed_at timestamptz not null
);

create index packet_registration on packet (registration_id);
create index packet_not_received on packet (packet_id) where received_at is null;
