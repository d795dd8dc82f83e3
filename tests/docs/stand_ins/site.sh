# shellcheck shell=bash
# The machine that tests/docs/site.py makes, as the stand-ins see it. $SITE holds:
#
#   python, pgbin          folders of the real tools        port, embeddings_port, repository
#   services/*.env         what a service was started with  run/*.pid, logs/*.out, *.err
#   settings.env           as docker-compose.yml's `environment`, with this machine's places
#   images/<tag>           the commit an image was built from
#   calls                  every call of a stand-in, a line each
# shellcheck disable=SC2034  # for those who source this
SERVICES=(ace-embeddings ace-app ace-reflector)
PORT=$(cat "$SITE/port")
REPOSITORY=$(cat "$SITE/repository")
EMBEDDINGS_PORT=$(cat "$SITE/embeddings_port")

# What a service runs: as in docker-compose.yml, but for addresses.
command_of() {
    case "$1" in
        ace-app) echo "ace serve --host 127.0.0.1 --port $PORT --workers 2" ;;
        ace-reflector) echo "ace-reflector" ;;
        ace-embeddings) echo "ace-embeddings --port $EMBEDDINGS_PORT --model sentence-transformers/all-MiniLM-L6-v2" ;;
    esac
}

runs() {
    local pid
    pid=$(cat "$SITE/run/$1.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

# Settings of a new container: those of the installation, then the image's and the caller's.
prepare_env() {
    local image=${ACE_IMAGE:-}
    if [ -z "$image" ] && [ -f .env ]; then image=$(sed -n 's/^ACE_IMAGE=//p' .env); fi
    {
        cat "$SITE/settings.env"
        if [ -f "$PWD/ace.env" ]; then cat "$PWD/ace.env"; fi
        if [ -n "${ACE_ENV:-}" ]; then echo "ACE_ENV=$ACE_ENV"; fi
        if [ -n "$image" ] && [ -f "$SITE/images/${image/:/@}" ]; then echo "ACE_COMMIT=$(cat "$SITE/images/${image/:/@}")"; fi
    } >"$SITE/services/$1.env"
    echo "$image" >"$SITE/services/$1.image"
}

# Become a command inside a container: its settings and folder, nothing of the caller's environment.
inside() {
    local name=$1 line
    shift
    cd "$REPOSITORY" || exit 1
    local environment=(PATH="$SITE/inside:$(cat "$SITE/python"):/usr/bin:/bin" HOME="$SITE" TMPDIR="$SITE/tmp" COLUMNS=200)
    while IFS= read -r line; do environment+=("$line"); done <"$SITE/services/$name.env"
    exec env -i "${environment[@]}" "$@"
}

start() {
    local words
    if runs "$1"; then return; fi
    read -r -a words <<<"$(command_of "$1")"
    (inside "$1" setsid "${words[@]}") >>"$SITE/logs/$1.out" 2>>"$SITE/logs/$1.err" </dev/null 9>&- &
    echo $! >"$SITE/run/$1.pid"
}

# Wait until it serves. (docker waits likewise for what another service depends on; here for all, so that the next line
# of a block finds what an operator finds who reads before typing on.)
wait_for() {
    local ends=$((SECONDS + 60))
    until ready "$1"; do
        if ! runs "$1" || [ $SECONDS -ge $ends ]; then
            echo "$1 does not start: $(tail -n 5 "$SITE/logs/$1.err")" >&2
            return 1
        fi
        sleep 0.1
    done
}

ready() {
    case "$1" in
        ace-app) "$SITE/real/curl" -sf "http://127.0.0.1:$PORT/readyz" >/dev/null ;;
        ace-embeddings) "$SITE/real/curl" -sf "http://127.0.0.1:$EMBEDDINGS_PORT/livez" >/dev/null ;;
        *) runs "$1" ;;
    esac
}

stop() {
    local pid ends=$((SECONDS + 20))
    if ! runs "$1"; then return; fi
    pid=$(cat "$SITE/run/$1.pid")
    kill -TERM "$pid"
    while runs "$1" && [ $SECONDS -lt $ends ]; do sleep 0.05; done
    if runs "$1"; then kill -KILL -- "-$pid"; fi
    rm -f "$SITE/run/$1.pid"
}

# Stop some, beside each other.
stop_all() {
    local name
    for name in "$@"; do stop "$name" & done
    wait
}
