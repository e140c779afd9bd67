-- What authentication keeps. Identifiers lie here as keyed hashes only, personal data only sealed.

-- Identity's feed, as delivered.
create table identity (
    identity_id uuid primary key,
    version bigint not null,
    uin_lookup_key bytea not null unique,
    lookup_key_version integer not null,
    -- An AuthenticationRecord under a data key of ida/transit/record.
    sealed bytea not null,
    wrapped_key text not null,
    -- idmesh.identity.v1.IdentityState
    state smallint not null,
    applied_at timestamptz not null default clock_timestamp()
);

create table vid (
    vid_lookup_key bytea primary key,
    lookup_key_version integer not null,
    identity_id uuid not null,
    -- idmesh.identity.v1.VidType and VidState
    vid_type smallint not null,
    state smallint not null,
    expires_at timestamptz,
    -- Null: no limit.
    transactions_left integer,
    applied_at timestamptz not null default clock_timestamp()
);

create index vid_identity on vid (identity_id);

-- Partner's feed.
create table partner (
    partner_id text primary key,
    organisation text not null
);

create table policy (
    policy_id text primary key,
    document text not null,
    active boolean not null,
    valid_until timestamptz
);

create table trust_anchor (
    -- idmesh.partner.v1.TrustDomain
    domain smallint not null,
    thumbprint bytea not null,
    certificate bytea not null,
    primary key (domain, thumbprint)
);

-- Certificates over the transit keys that partners seal for; kept so that thumbprints last.
create table envelope_certificate (
    thumbprint bytea primary key,
    -- PARTNER or IDA-FIR.
    reference_id text not null,
    key_version integer not null,
    certificate bytea not null,
    not_after timestamptz not null,
    made_at timestamptz not null default clock_timestamp()
);

-- The last one-time password of an identifier; the password itself is an HMAC under ida/transit/otp.
create table otp (
    individual_lookup_key bytea primary key,
    identity_id uuid not null,
    partner_id text not null,
    transaction_id text not null,
    mac bytea not null,
    mac_version integer not null,
    generated_at timestamptz not null,
    expires_at timestamptz not null,
    used boolean not null default false
);

create index otp_expiry on otp (expires_at);

-- Wrong tries and requests of a person, over all of their identifiers.
create table otp_guard (
    identity_id uuid primary key,
    failures integer not null default 0,
    frozen_until timestamptz,
    window_started_at timestamptz not null,
    requests integer not null default 0
);

-- Every decided request, with both signatures for non-repudiation.
create table auth_transaction (
    auth_transaction_id uuid primary key,
    partner_id text not null,
    misp_id text not null,
    policy_id text not null,
    api_key_id text not null,
    transaction_id text,
    endpoint smallint not null,
    factors text[] not null,
    succeeded boolean not null,
    error_codes text[] not null,
    -- Null where no individual was found.
    identity_id uuid,
    requested_at timestamptz,
    responded_at timestamptz not null,
    body_hash bytea not null,
    request_signature text not null,
    response_signature text not null
);

create index auth_transaction_identity on auth_transaction (identity_id, responded_at desc);
create index auth_transaction_partner on auth_transaction (partner_id, transaction_id);

-- A request of a partner is accepted once; a row lives as long as the request could be accepted.
create table replay (
    partner_id text not null,
    transaction_id text not null,
    body_hash bytea not null,
    expires_at timestamptz not null,
    primary key (partner_id, transaction_id, body_hash)
);

create index replay_expiry on replay (expires_at);

-- A partner's own name of an individual, sealed under ida/transit/psut; made once.
create table psut (
    identity_id uuid not null,
    -- partner:ID or policy:ID.
    scope text not null,
    sealed text not null,
    made_at timestamptz not null default clock_timestamp(),
    primary key (identity_id, scope)
);
