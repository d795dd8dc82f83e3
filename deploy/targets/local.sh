# shellcheck shell=bash
# Plain processes on this machine, under ACE_DEPLOY_ROOT:
#
#   releases/<time>-<commit>/   the code as committed, and `release.env`: the settings it was deployed with
#   current, previous           links to the release that serves, and to the one before
#   settings.env                yours: KEY=value lines, provider keys too; read when a release is made
#   run/*.pid  logs/*.log       of each process
#   data/                       database, indexes, backups; shared by all releases
DEPLOY_ROOT=${ACE_DEPLOY_ROOT:-$ROOT/.ace/deploy/$STAGE}
PORT=${ACE_DEPLOY_PORT:-8000}
PYTHON=${ACE_DEPLOY_PYTHON:-$ROOT/.venv/bin/python}
KEEP=5
STOP_S=20
RELEASE=$DEPLOY_ROOT/releases/$(date -u +%Y%m%dT%H%M%S)-${COMMIT:0:10}

url() { echo "${ACE_SMOKE_URL:-http://127.0.0.1:$PORT}"; }

interpreter() { echo "$PYTHON"; }

services() {
    local name
    for name in ${ACE_DEPLOY_SERVICES:-ace-embeddings ace-app ace-reflector}; do echo "$name"; done
}

command_of() {
    case "$1" in
        ace-app) echo "-m ace serve --host 127.0.0.1 --port $PORT" ;;
        ace-reflector) echo "-m ace.workers.reflection" ;;
        ace-embeddings) echo "-m ace.workers.embedding --port $((PORT + 1)) --model sentence-transformers/all-MiniLM-L6-v2" ;;
    esac
}

prepare() {
    if [ -n "$DRY_RUN" ]; then echo "would copy $COMMIT to $RELEASE" && return; fi
    if [ ! -x "$PYTHON" ]; then fail "$PYTHON cannot be run: make setup, or name one in ACE_DEPLOY_PYTHON" && return 1; fi
    mkdir -p "$RELEASE" "$DEPLOY_ROOT/run" "$DEPLOY_ROOT/logs" "$DEPLOY_ROOT/data" || return 1
    exec 9>"$DEPLOY_ROOT/.lock"
    if ! flock -n 9; then fail "another deployment is under way in $DEPLOY_ROOT" && return 1; fi
    git -C "$ROOT" archive "$COMMIT" | tar -x -C "$RELEASE" || return 1
    write_settings >"$RELEASE/release.env"
}

write_settings() {
    umask 077
    echo "ACE_DATA_DIR=$DEPLOY_ROOT/data"
    echo "ACE_MODELS_DIR=${ACE_MODELS_DIR:-$ROOT/.ace/models}"
    echo "ACE_BACKUP_URL=$DEPLOY_ROOT/data/backups"
    if services | grep -qx ace-embeddings; then echo "ACE_EMBEDDINGS_URL=http://127.0.0.1:$((PORT + 1))/v1"; fi
    if [ -f "$DEPLOY_ROOT/settings.env" ]; then grep -E '^[A-Za-z_]+=' "$DEPLOY_ROOT/settings.env" || true; fi
    echo "ACE_ENV=$STAGE"
    echo "ACE_COMMIT=$COMMIT"
}

# Become a command in a release's folder, with its settings and code, and nothing of this shell's ACE_ variables.
become() {
    local release=$1 line path
    shift
    cd "$release" || exit 1
    for line in $(compgen -v ACE_); do unset "$line"; done
    while IFS= read -r line; do export "${line?}"; done <release.env
    path=$(dirname "$PYTHON"):$PATH
    export PYTHONPATH=$release PATH=$path
    exec "$@"
}

migrate() {
    if [ -n "$DRY_RUN" ]; then echo "would run scripts/migrate.sh in $RELEASE" && return; fi
    (become "$RELEASE" "$RELEASE/scripts/migrate.sh")
}

pid_of() { cat "$DEPLOY_ROOT/run/$1.pid" 2>/dev/null; }

# The process is ours when it leads the group it was started in and works in this deploy root.
runs() {
    local pid
    pid=$(pid_of "$1") && [ -n "$pid" ] && [[ $(readlink "/proc/$pid/cwd" 2>/dev/null) == "$DEPLOY_ROOT"/releases/* ]]
}

alive() { runs ace-app; }

start() {
    local release name
    release=$(readlink -f "$DEPLOY_ROOT/current")
    for name in $(services); do
        start_one "$release" "$name" >>"$DEPLOY_ROOT/logs/$name.log" 2>&1 </dev/null 9>&- &
        echo $! >"$DEPLOY_ROOT/run/$name.pid"
    done
}

start_one() {
    local words
    read -r -a words <<<"$(command_of "$2")"
    become "$1" setsid "$PYTHON" "${words[@]}"
}

stop() {
    local name pid ends
    for name in ace-app ace-reflector ace-embeddings; do
        if runs "$name"; then kill -TERM "$(pid_of "$name")" || true; fi
    done
    ends=$((SECONDS + STOP_S))
    for name in ace-app ace-reflector ace-embeddings; do
        while runs "$name" && [ $SECONDS -lt $ends ]; do sleep 0.1; done
        pid=$(pid_of "$name") || continue
        if runs "$name"; then kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" || true; fi
        rm -f "$DEPLOY_ROOT/run/$name.pid"
    done
}

point() { ln -sfn "$2" "$DEPLOY_ROOT/$1.new" && mv -T "$DEPLOY_ROOT/$1.new" "$DEPLOY_ROOT/$1"; }

roll_out() {
    if [ -n "$DRY_RUN" ]; then echo "would stop the current release and start $RELEASE: $(services | xargs)" && return; fi
    if [ -e "$DEPLOY_ROOT/current" ]; then point previous "$(readlink -f "$DEPLOY_ROOT/current")"; fi
    stop
    point current "$RELEASE"
    start
    prune
}

roll_back() {
    stop
    if [ ! -e "$DEPLOY_ROOT/previous" ]; then fail "there is no release before this one" && return 1; fi
    point current "$(readlink -f "$DEPLOY_ROOT/previous")"
    EXPECT=$(sed -n 's/^ACE_COMMIT=//p' "$DEPLOY_ROOT/current/release.env")
    export EXPECT
    start
}

# The newest few stay, and whatever the links name.
prune() {
    local old
    # names are ours, a time and a commit, so `ls` sorts them by age
    # shellcheck disable=SC2012
    ls -1d "$DEPLOY_ROOT"/releases/* | sort -r | tail -n +$((KEEP + 1)) | while IFS= read -r old; do
        case "$old" in
            "$(readlink -f "$DEPLOY_ROOT/current")" | "$(readlink -f "$DEPLOY_ROOT/previous")") ;;
            *) rm -rf -- "$old" ;;
        esac
    done
}
