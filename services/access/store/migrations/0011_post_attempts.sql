-- Counted in attempts by now.
alter table operator drop column wrong_secrets, drop column locked_until;
