-- Where users are: the tables of Kamailio's package, if missing. One Front End of the pool at a time.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT pg_advisory_lock(5061) \g /dev/null
SELECT to_regclass('public.version') IS NULL AS missing \gset
\if :missing
BEGIN;
\ir /usr/share/kamailio/postgres/standard-create.sql
COMMIT;
\endif
SELECT to_regclass('public.location') IS NULL AS missing \gset
\if :missing
BEGIN;
\ir /usr/share/kamailio/postgres/usrloc-create.sql
COMMIT;
\endif
