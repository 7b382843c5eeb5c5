-- A database and two logins for each service, as deploy/local/databases.py makes them. Safe to repeat: each
-- `docker compose up` does, and a password that was changed in .env holds from then on.
\set ON_ERROR_STOP on
select pg_advisory_lock(hashtext('proforma databases')) \g /dev/null

\set name time_expense
\getenv owner_password TIME_EXPENSE_OWNER_PASSWORD
\getenv password TIME_EXPENSE_PASSWORD
\ir database.sql

\set name billing_backlog
\getenv owner_password BILLING_BACKLOG_OWNER_PASSWORD
\getenv password BILLING_BACKLOG_PASSWORD
\ir database.sql

\set name invoicing
\getenv owner_password INVOICING_OWNER_PASSWORD
\getenv password INVOICING_PASSWORD
\ir database.sql

\set name scheduler
\getenv owner_password SCHEDULER_OWNER_PASSWORD
\getenv password SCHEDULER_PASSWORD
\ir database.sql
