-- Registrations in flight and after, their journal, keyed demographic look-ups, cases. Nothing
-- demographic stands in clear.

create table registration (
    registration_id text primary key,
    seq bigint generated always as identity unique,
    packet_id text not null unique,
    process text not null,
    centre_id text not null,
    machine_id text not null,
    sha256 bytea not null,
    size bigint not null,
    received_at timestamptz not null,
    supervisor_approved boolean not null,
    state text not null
        check (state in ('PROCESSING', 'PAUSED', 'PROCESSED', 'REJECTED', 'FAILED')),
    stage text not null,
    reason text not null default '',
    mosip_code text not null default '',
    attempts integer not null default 0,
    changed_at timestamptz not null default clock_timestamp(),
    -- When a worker may take it; while one has it, the lease is what counts.
    due_at timestamptz not null default clock_timestamp(),
    leased_until timestamptz,
    lease_token bigint not null default 0,
    waits_for text,
    -- What abis knows the person by.
    reference_id uuid not null unique default gen_random_uuid(),
    reference_epoch bigint,
    reference_txid numeric(20),
    reference_seq bigint,
    reference_forgotten boolean not null default false
);

create index registration_due on registration (due_at) where state = 'PROCESSING';
create index registration_waiting on registration (waits_for) where waits_for is not null;
create index registration_by_state on registration (state, seq);
create index registration_refused on registration (changed_at)
    where state in ('REJECTED', 'FAILED') and not reference_forgotten;

create table journal (
    registration_id text not null references registration,
    seq bigint generated always as identity,
    stage text not null,
    outcome text not null,
    reason text not null,
    mosip_code text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    duration_s double precision not null,
    primary key (registration_id, seq)
);

-- Keyed hashes of name, date of birth and gender, one for each language and key version. The
-- order of seq says which of two equal ones came first: it is drawn under a lock on the key.
create table demographic_key (
    registration_id text not null references registration,
    language text not null,
    key_version integer not null,
    key bytea not null,
    seq bigint generated always as identity,
    primary key (registration_id, language, key_version)
);

create index demographic_key_key on demographic_key (key, seq);
create index demographic_key_version on demographic_key (key_version);

create table candidate (
    registration_id text not null references registration,
    candidate_registration_id text not null references registration,
    kind text not null check (kind in ('biometric', 'demographic')),
    similarity real not null,
    by_template text not null,
    primary key (registration_id, candidate_registration_id)
);

create table adjudication_case (
    case_id uuid primary key,
    seq bigint generated always as identity unique,
    registration_id text not null unique references registration,
    opened_at timestamptz not null,
    -- Candidates as of the opening: what the adjudicator decided about.
    candidates text not null,
    sealed_applicant bytea not null,
    decision text check (decision in ('DUPLICATE', 'DISTINCT')),
    decided_by text,
    decided_at timestamptz,
    sealed_reason bytea,
    check ((decision is null) = (decided_at is null))
);

create index adjudication_case_open on adjudication_case (seq) where decision is null;
