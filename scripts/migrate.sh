#!/usr/bin/env bash
# Bring the database to this release's schema: a backup first, where there is something to back up; then the first
# admin key, where others than this machine are served and there is no key yet. Run it before the new code starts.
# A later release's schema that still serves this one is left as it is: that is what makes rolling back code safe.
# Example: scripts/migrate.sh
set -euo pipefail

say() { echo "migrate: $*"; }

state=$(python -m ace.ops.schema_state)
if [ "$state" = newer ]; then
    say "a later release's schema, which serves this one too: nothing to do"
    exit 0
fi
if [ "$state" = none ]; then
    say "a new database, nothing to back up"
elif [ -n "${ACE_SKIP_BACKUP:-}" ]; then
    say "no backup, as ACE_SKIP_BACKUP says"
elif python -m ace db backup --help >/dev/null 2>&1; then
    say "backing up"
    python -m ace db backup
fi
python -m ace db upgrade
case "${ACE_HOST:-127.0.0.1}" in
    127.* | localhost | ::1) ;;
    *)
        if [ "$(python -m ace keys list --json)" = "[]" ]; then
            say "the first admin key follows; store it, it is not shown again"
            python -m ace keys create --role admin --label first
        fi
        ;;
esac
say "done"
