# Two commands: `make demo` and `make test`. Both set everything up first; nothing but Python 3.11+ is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TOOLS  := $(VENV)/.tools
unexport PYTHONDONTWRITEBYTECODE  # where it is set, every process of the tests would compile its libraries anew

.PHONY: help setup tools demo test check bench docs site lock clean
help:            ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(STAMP)  ## .venv with what ACE runs on, and the local models

$(STAMP): requirements-runtime.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-runtime.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/ace models pull
	@touch $(STAMP)

tools: $(TOOLS)  ## and, for tests and checks, the tools and every library that ACE plugs into
$(TOOLS): requirements.lock $(STAMP)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $(TOOLS)

demo: setup      ## learn from a small real task set with a real local model; under a minute once set up
	@$(BIN)/ace demo

test: tools      ## every test, on SQLite and on a real Postgres
	@$(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder

check: tools     ## ruff, mypy --strict, the stairs
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: tools     ## the benchmarks, beside what one would use instead
	@$(BIN)/python -m benchmarks

docs: tools      ## execute every documented block
	@$(BIN)/python -m pytest tests/docs

site: tools      ## the documentation as a site, in docs/_build; a warning is an error
	@$(BIN)/python -m sphinx -E -W --keep-going -q -j 2 -b html docs docs/_build

LOCK   := pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml
lock:            ## resolve pyproject.toml into requirements.lock and, for the image, requirements-runtime.lock
	@$(BIN)/uv $(LOCK) --all-extras --group dev -o requirements.lock
	@$(BIN)/uv $(LOCK) --extra server --extra local --extra otel --extra mcp --constraint requirements.lock -o requirements-runtime.lock

clean:           ## forget the environment and all data
	rm -rf $(VENV) .ace
