-- What is still under an old version of the look-up key is found by this.
create index operator_secret_version on operator (secret_version);
