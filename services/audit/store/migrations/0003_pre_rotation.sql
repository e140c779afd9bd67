-- What is still under an old version of the key is found by this.
create index personal_sealed_version on personal (box_key_version(sealed))
    where sealed is not null;
