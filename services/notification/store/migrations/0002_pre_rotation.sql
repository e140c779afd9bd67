-- What is still under an old version of the key is found by this.
create index message_sealed_version on message (ciphertext_key_version(sealed))
    where sealed is not null;
