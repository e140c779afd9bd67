-- What is still under an old version of a key is found by these.
create index adjudication_case_applicant_version on adjudication_case
    (box_key_version(sealed_applicant));
create index adjudication_case_reason_version on adjudication_case (box_key_version(sealed_reason))
    where sealed_reason is not null;

-- What the key is a hash of, sealed under core/transit/case: after a rotation the hash is computed
-- anew. Null for those from before this column.
alter table demographic_key add column sealed_input text;
create index demographic_key_input_version on demographic_key
    (ciphertext_key_version(sealed_input)) where sealed_input is not null;

-- While the look-up key has several versions a registration is known by the older ones too, to
-- those who took no notice of the newest yet.
create table demographic_key_older (
    registration_id text not null,
    language text not null,
    key_version integer not null,
    key bytea not null,
    primary key (registration_id, language, key_version)
);
create index demographic_key_older_key on demographic_key_older (key);
