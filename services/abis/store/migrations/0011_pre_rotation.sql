-- What is still under an old version of the key is found by these.
create index reference_sealed_version on reference (box_key_version(sealed));
create index request_answer_version on request (box_key_version(answer));
