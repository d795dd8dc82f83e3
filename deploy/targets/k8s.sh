# shellcheck shell=bash
# Kubernetes, by the context kubectl is in. ACE_IMAGE names the image, with a tag or digest that is this release's.
NAMESPACE=ace-$STAGE
DEPLOYMENTS=(ace-embeddings ace-app ace-reflector)
PART=app.kubernetes.io/component
MANIFEST=""
FORWARD=""
FORWARD_PORT=${ACE_DEPLOY_PORT:-18000}
declare -A BEFORE=()

url() { echo "${ACE_SMOKE_URL:-http://127.0.0.1:$FORWARD_PORT}"; }

kube() { kubectl --namespace "$NAMESPACE" "$@"; }

prepare() {
    local name
    if [ -z "${ACE_IMAGE:-}" ]; then fail "name the image in ACE_IMAGE" && return 1; fi
    export EXPECT="" # whoever built the image knows its commit
    MANIFEST=$(mktemp)
    trap 'rm -f "$MANIFEST"; stop_forwarding' EXIT
    kubectl kustomize "$ROOT/deploy/k8s/overlays/$STAGE" >"$MANIFEST.in" || return 1
    sed "s|image: ace-playbook:unset|image: $ACE_IMAGE|" "$MANIFEST.in" >"$MANIFEST"
    rm -f "$MANIFEST.in"
    for name in "${DEPLOYMENTS[@]}"; do BEFORE[$name]=$(revision "$name"); done
}

# The number of the release a deployment is at; nothing when there is none.
revision() {
    kube get deployment "$1" --output "jsonpath={.metadata.annotations['deployment\.kubernetes\.io/revision']}" 2>/dev/null || true
}

migrate() {
    run kube delete job ace-migrate --ignore-not-found &&
        run kubectl apply --filename "$MANIFEST" --selector "$PART in (config,migration)" || return 1
    if ! run kube wait --for=condition=complete --timeout "${ACE_MIGRATE_TIMEOUT_S:-900}s" job/ace-migrate; then
        kube logs job/ace-migrate --tail 50 >&2 || true
        return 1
    fi
}

roll_out() { run kubectl apply --filename "$MANIFEST" --selector "$PART notin (config,migration)"; }

settle() {
    local name
    for name in "${DEPLOYMENTS[@]}"; do
        kube rollout status "deployment/$name" --timeout "${TIMEOUT_S}s" || return 1
    done
    forward
}

# Back to the revisions there were before; a deployment that did not change is left alone.
roll_back() {
    local name went=""
    stop_forwarding
    for name in "${DEPLOYMENTS[@]}"; do
        if [ -n "${BEFORE[$name]}" ]; then went=1; fi
        if [ -n "${BEFORE[$name]}" ] && [ "$(revision "$name")" != "${BEFORE[$name]}" ]; then
            run kube rollout undo "deployment/$name" "--to-revision=${BEFORE[$name]}" || return 1
        fi
    done
    if [ -z "$went" ]; then fail "there is no release before this one" && return 1; fi
}

forward() {
    if [ -n "${ACE_SMOKE_URL:-}" ] || [ -n "$FORWARD" ]; then return; fi
    kube port-forward service/ace-app "$FORWARD_PORT:8000" >/dev/null 2>&1 &
    FORWARD=$!
}

stop_forwarding() {
    if [ -n "$FORWARD" ]; then kill "$FORWARD" 2>/dev/null || true; fi
    FORWARD=""
}
