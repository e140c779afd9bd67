-- How many UINs there are, given out or not: to count them would read the whole table whenever
-- the pool is filled. Kept by a trigger, so that what adds them need not know.
create table uin_drawn (
    only_one boolean primary key default true check (only_one),
    drawn bigint not null
);
insert into uin_drawn (drawn) select count(*) from uin;

create function count_drawn_uins() returns trigger language plpgsql as $$
begin
    update uin_drawn set drawn = drawn + (select count(*) from added)
    where exists (select from added);
    return null;
end
$$;

create trigger uin_is_counted after insert on uin
referencing new table as added
for each statement execute function count_drawn_uins();
