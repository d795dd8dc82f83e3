# One image for all services: ace-app (the default command), ace-reflector, ace-embeddings, and the migration.
# It runs as user 10001 with a read-only root; /data (indexes, backups) and /tmp are all it writes to.
#   docker build --build-arg COMMIT=$(git rev-parse HEAD) -t ace-playbook:local .
ARG PYTHON=python:3.11-slim-bookworm

# hadolint ignore=DL3006
FROM ${PYTHON} AS build
ARG UV_VERSION=0.9.0
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 VIRTUAL_ENV=/app/.venv
WORKDIR /app
RUN pip install "uv>=${UV_VERSION}" && python -m venv /app/.venv
COPY requirements-runtime.lock pyproject.toml ./
RUN uv pip install --no-cache --compile-bytecode --require-hashes -r requirements-runtime.lock
COPY README.md LICENSE alembic.ini ./
COPY ace ./ace
RUN uv pip install --no-cache --no-deps --editable . && /app/.venv/bin/python -m compileall -q ace
ENV ACE_DATA_DIR=/tmp/build ACE_MODELS_DIR=/app/models
RUN /app/.venv/bin/ace models pull && /app/.venv/bin/python -m ace.ops.warm_up
COPY scripts ./scripts

# hadolint ignore=DL3006
FROM ${PYTHON}
# `ps` for whoever looks inside; its version is the base image's
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends procps && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin ace \
    && install -d -o 10001 -g 10001 /data
COPY deploy/image/crontab /usr/local/bin/crontab
COPY --from=build /app /app
ARG COMMIT=""
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    ACE_COMMIT=${COMMIT} ACE_DATA_DIR=/data ACE_MODELS_DIR=/app/models ACE_HOST=0.0.0.0 ACE_PORT=8000
WORKDIR /app
VOLUME ["/data"]
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "/app/scripts/probe.py", "http://127.0.0.1:8000/readyz"]
CMD ["ace", "serve"]
