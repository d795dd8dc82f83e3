#!/usr/bin/env bash
# Deploy this checkout: migrate, roll out, wait until ready, smoke test; and roll back by itself when that fails.
#
#   scripts/deploy.sh shadow|staging|production [--target compose|k8s|local] [--dry-run]
#
# Example: scripts/deploy.sh shadow --target local
# The target may also stand in ACE_DEPLOY_TARGET; compose when neither names one. docs/guides/deploy.md has the rest.
#
# exit  means
# 0     the new release serves
# 1     it failed before anything was rolled out: what served goes on serving
# 2     the command line cannot be used
# 5     it failed, and the release before serves again
# 6     it failed, and so did the way back: look at once
set -euo pipefail

ROOT=$(cd "$(dirname "$0")/.." && pwd)
STAGE="" TARGET=${ACE_DEPLOY_TARGET:-compose} DRY_RUN=""
TIMEOUT_S=${ACE_DEPLOY_TIMEOUT_S:-180}

say() { echo "deploy: $*"; }
fail() { echo "deploy: $*" >&2; }
usage() { sed -n '2,14s/^# \{0,1\}//p' "$0"; }

# Do a command, or with --dry-run only say it.
run() {
    if [ -n "$DRY_RUN" ]; then echo "would run: $*"; else "$@"; fi
}

while [ $# -gt 0 ]; do
    case "$1" in
        shadow | staging | production) STAGE=$1 ;;
        --target) TARGET=${2:-} && shift ;;
        --target=*) TARGET=${1#--target=} ;;
        --dry-run) DRY_RUN=1 ;;
        -h | --help) usage && exit 0 ;;
        *) fail "'$1' is not understood. Try: scripts/deploy.sh shadow --target local" && exit 2 ;;
    esac
    shift
done
if [ -z "$STAGE" ]; then
    fail "say where to: shadow, staging or production" && exit 2
fi
case "$TARGET" in
    compose | k8s | local) ;;
    *) fail "--target '$TARGET' is not one: use compose, k8s or local" && exit 2 ;;
esac
COMMIT=${ACE_COMMIT:-$(git -C "$ROOT" rev-parse HEAD 2>/dev/null || echo unknown)}
EXPECT=${COMMIT#unknown} # the commit /version must name before it counts as ready; empty: any

# A target is these words: prepare, migrate, roll_out, roll_back and url; where it knows better also settle (wait in
# its own way first), alive (what was started still runs) and interpreter (of the smoke tests).
alive() { true; }
settle() { true; }
interpreter() {
    if [ -x "$ROOT/.venv/bin/python" ]; then echo "$ROOT/.venv/bin/python"; else echo python3; fi
}
# shellcheck source=/dev/null
. "$ROOT/deploy/targets/$TARGET.sh"

answers() { curl --fail --silent --show-error --max-time 3 "$(url)$1" 2>&1; }

wait_ready() {
    local ends=$((SECONDS + TIMEOUT_S)) said=""
    if [ -n "$DRY_RUN" ]; then echo "would wait for $(url)/readyz, at most $TIMEOUT_S s" && return; fi
    settle || return 1
    until said=$(answers /readyz) && said=$(answers /version) && [[ $said == *"$EXPECT"* ]]; do
        if ! alive; then fail "it ended while starting" && return 1; fi
        if [ $SECONDS -ge $ends ]; then fail "not ready after $TIMEOUT_S s: $said" && return 1; fi
        sleep 0.5
    done
}

smoke() {
    if [ -n "$DRY_RUN" ]; then echo "would smoke test $(url)" && return; fi
    if [ -f "$ROOT/tests/e2e/test_smoke.py" ] && "$(interpreter)" -c "import hypothesis, pytest" 2>/dev/null; then
        (cd "$ROOT" && ACE_SMOKE_URL=$(url) ACE_SMOKE_KEY=${ACE_SMOKE_KEY:-} "$(interpreter)" -m pytest -p no:cacheprovider tests/e2e/test_smoke.py)
    else
        answers /livez >/dev/null && answers /version && echo && answers /health | grep -qE '"(healthy|degraded)"'
    fi
}

back() {
    local began=$SECONDS
    fail "$1; rolling back"
    if [ "$TIMEOUT_S" -lt 60 ]; then TIMEOUT_S=60; fi
    if roll_back && wait_ready; then
        fail "rolled back in $((SECONDS - began)) s: the release before serves again"
        exit 5
    fi
    fail "the way back failed after $((SECONDS - began)) s: look at once"
    exit 6
}

began=$SECONDS
say "$COMMIT to $STAGE by $TARGET"
prepare || { fail "preparing failed: nothing was rolled out" && exit 1; }
migrate || { fail "migrating failed: nothing was rolled out, what served goes on serving" && exit 1; }
roll_out || back "rolling out failed"
wait_ready || back "the new release does not become ready"
smoke || back "the smoke tests failed"
if [ -n "$DRY_RUN" ]; then say "nothing was done" && exit 0; fi
say "$COMMIT serves at $(url), after $((SECONDS - began)) s"
