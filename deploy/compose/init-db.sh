#!/bin/sh
# Runs once, when the database's volume is new: the application's user owns one database and is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 -U postgres -d postgres -v password="$ACE_DB_PASSWORD" <<'SQL'
CREATE ROLE ace LOGIN PASSWORD :'password';
GRANT pg_read_all_stats TO ace;
CREATE DATABASE ace OWNER ace;
SQL
# in template1 too, so that a database made anew for a restore has it
for database in template1 ace; do
    psql -v ON_ERROR_STOP=1 -U postgres -d "$database" -c 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements'
done
