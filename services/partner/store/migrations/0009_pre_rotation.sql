-- What is still under an old version of the look-up key is found by these.
create index api_key_hash_version on api_key (hash_version);
create index licence_hash_version on licence (hash_version);
