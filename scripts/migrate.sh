#!/usr/bin/env bash
# Bring the database to this release's schema: a backup first, where there is something to back up; then the first
# admin key, where others than this machine are served and there is no key yet. Run it before the new code starts.
# Example: scripts/migrate.sh
set -euo pipefail

say() { echo "migrate: $*"; }

found=$(ace db current)
if [ "$found" = none ]; then
    say "a new database, nothing to back up"
elif [ -n "${ACE_SKIP_BACKUP:-}" ]; then
    say "no backup, as ACE_SKIP_BACKUP says"
elif ace db backup --help >/dev/null 2>&1; then
    say "backing up schema $found"
    ace db backup
fi
ace db upgrade
case "${ACE_HOST:-127.0.0.1}" in
    127.* | localhost | ::1) ;;
    *)
        if [ "$(ace keys list --json)" = "[]" ]; then
            say "the first admin key follows; store it, it is not shown again"
            ace keys create --role admin --label first
        fi
        ;;
esac
say "done"
