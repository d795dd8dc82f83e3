# shellcheck shell=bash
# Docker Compose on this machine. The image that serves stands in `.env` as ACE_IMAGE, so that whoever types
# `docker compose up -d` later gets the same one.
IMAGE=${ACE_IMAGE:-ace-playbook:${COMMIT:0:12}}
ENV_FILE=$ROOT/.env
SERVICES=(ace-embeddings ace-app ace-reflector)
PREVIOUS=""

url() { echo "${ACE_SMOKE_URL:-http://127.0.0.1:${ACE_PORT:-8000}}"; }

compose() {
    if docker compose version >/dev/null 2>&1; then
        ACE_IMAGE=$1 ACE_ENV=$STAGE docker compose --project-directory "$ROOT" "${@:2}"
    else
        ACE_IMAGE=$1 ACE_ENV=$STAGE docker-compose --project-directory "$ROOT" "${@:2}"
    fi
}

prepare() {
    PREVIOUS=$(docker inspect --format '{{.Config.Image}}' ace-app 2>/dev/null || true)
    if [ -n "${ACE_IMAGE:-}" ]; then
        export EXPECT="" # whoever built it knows its commit
        docker image inspect "$IMAGE" >/dev/null 2>&1 || run docker pull "$IMAGE"
    else
        run docker build --build-arg "COMMIT=$COMMIT" --tag "$IMAGE" "$ROOT"
    fi
}

migrate() {
    run compose "$IMAGE" up --detach --wait ace-db && run compose "$IMAGE" run --rm ace-migrate
}

switch_to() {
    run compose "$1" up --detach --no-deps --wait --wait-timeout "$TIMEOUT_S" "${SERVICES[@]}" && run remember "$1"
}

roll_out() { switch_to "$IMAGE"; }

roll_back() {
    if [ -z "$PREVIOUS" ]; then fail "there is no release before this one" && return 1; fi
    export EXPECT=""
    switch_to "$PREVIOUS"
}

# Write ACE_IMAGE and ACE_ENV into `.env`, beside it first.
remember() {
    local new
    new=$(mktemp "$ENV_FILE.XXXXXX")
    if [ -f "$ENV_FILE" ]; then grep -vE '^ACE_(IMAGE|ENV)=' "$ENV_FILE" >"$new" || true; fi
    printf 'ACE_IMAGE=%s\nACE_ENV=%s\n' "$1" "$STAGE" >>"$new"
    mv "$new" "$ENV_FILE"
}
