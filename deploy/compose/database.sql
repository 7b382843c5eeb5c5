-- One service's database `name`, its owner `<name>_owner`, who migrates, and the login `name`, who works and owns
-- nothing. Rights on tables come from the migrations.
select :'name' || '_owner' as owner \gset

select format('create role %I login', login)
from unnest(array[:'owner', :'name']) as login
where not exists (select from pg_roles where rolname = login) \gexec
alter role :"owner" with login nosuperuser nocreatedb nocreaterole password :'owner_password';
alter role :"name" with login nosuperuser nocreatedb nocreaterole password :'password';

-- The same order of texts on every server, whatever its own locale is.
select case when current_setting('server_version_num')::int >= 170000
         then $$locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'$$ else $$lc_collate 'C'$$ end as locale \gset
select format('create database %I owner %I template template0 encoding ''UTF8'' %s', :'name', :'owner', :'locale')
where not exists (select from pg_database where datname = :'name') \gexec
revoke all on database :"name" from public;
grant connect, temporary on database :"name" to :"name";

select current_database() as before \gset
\connect :"name"
alter schema public owner to :"owner";
revoke all on schema public from public;
grant usage on schema public to :"name";
\connect :"before"
