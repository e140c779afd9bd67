-- Certificates one by one: what is withdrawn stays known. partner.certificates is no longer read.
create table partner_certificate (
    partner_id   text not null references partner,
    -- SHA-256 over the certificate.
    thumbprint   bytea not null check (octet_length(thumbprint) = 32),
    -- idmesh.partner.v1.CertificateKind
    kind         smallint not null,
    -- X.509, DER; what stands above a re-issued one, its root last.
    certificate  bytea not null,
    chain        bytea[] not null default '{}',
    -- Of a re-issued one the thumbprint of what it was made for.
    original     bytea not null default '',
    added_at     timestamptz not null,
    -- Null: its own end.
    usable_until timestamptz,
    withdrawn_at timestamptz,
    primary key (partner_id, thumbprint)
);

create index partner_certificate_end on partner_certificate (usable_until)
where withdrawn_at is null;

insert into partner_certificate (partner_id, thumbprint, kind, certificate, added_at)
select partner_id, sha256(each.der), 1, each.der, changed_at - each.place * interval '1 second'
from partner, unnest(certificates) with ordinality as each (der, place);

alter table partner alter column certificates set default '{}';

alter table partner add column contact_email text not null default '';

alter table authority add column active boolean not null default true;

-- One of the platform's own authorities.
alter table authority add column own boolean not null default false;

-- Serials by the SHA-256 over their issuer's public key, and who says so: 1 an administrator
-- here, 2 the issuer's list, 3 the issuer's responder.
create table revoked_serial (
    issuer     bytea not null check (octet_length(issuer) = 32),
    serial     bytea not null,
    source     smallint not null,
    revoked_at timestamptz not null default now(),
    primary key (issuer, serial, source)
);

-- Revocations of our own certificates that the key service has not heard of yet.
create table revocation_due (
    mount  text not null,
    serial text not null,
    primary key (mount, serial)
);
