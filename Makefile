# Run Portal: `make help` lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
# Older releases of the client, each alone in a folder: their dependencies are those of the newest.
OLD_CLIENTS := $(patsubst tests/onepin/%.txt,.onepin/%/stamp,$(wildcard tests/onepin/*.txt))
PORT ?= 8000
PINNED := --universal --generate-hashes --no-header --no-annotate --quiet

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export FLASK_APP = app.py

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/run.stamp instance/secret-key ## start the portal with sample history on http://127.0.0.1:8000
	@PORTAL_BASE_URL=$${PORTAL_BASE_URL:-http://127.0.0.1:$(PORT)} PORT=$(PORT) VENV=$(VENV) sh scripts/run.sh

test: $(VENV)/test.stamp $(OLD_CLIENTS) tests/oidc/node_modules/stamp ## run every test
	$(VENV)/bin/python -m pytest $(ARGS)

test-fast: $(VENV)/test.stamp ## run most tests: SQLite, no slow ones, browser, Node, recogniser or old clients
	PYTHONDONTWRITEBYTECODE= PORTAL_TEST_EXAMPLES=$${PORTAL_TEST_EXAMPLES:-10} $(VENV)/bin/python -m pytest \
	  --numprocesses 2 --dist worksteal -p no:schemathesis --ignore tests/fuzz \
	  -m "not (browser or clients or histories or node or postgres or recogniser or slow)" $(ARGS)

check: $(VENV)/test.stamp ## format, lint and types, then every test
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(MAKE) test

bench: $(VENV)/test.stamp ## how fast, beside a floor, at a million runs; ARGS=--help
	$(VENV)/bin/python -m scripts.bench $(ARGS)

shots: $(VENV)/test.stamp ## pictures of every page and state, in .shots/
	$(VENV)/bin/python -m tests.browser.shots $(ARGS)

.PHONY: soak
soak: $(VENV)/test.stamp ## long trials: PostgreSQL restarted under traffic, a crowd, workers killed, memory over ten minutes, pushes
	$(VENV)/bin/python -m scripts.soak postgres
	$(VENV)/bin/python -m scripts.soak crowd
	$(VENV)/bin/python -m scripts.soak numbers
	$(VENV)/bin/python -m scripts.soak engine
	$(VENV)/bin/python -m scripts.soak memory
	$(VENV)/bin/python -m scripts.soak push

lock: $(VENV)/test.stamp ## pin what pyproject.toml names, with hashes
	$(VENV)/bin/uv pip compile pyproject.toml $(PINNED) -o requirements.txt
	$(VENV)/bin/uv pip compile pyproject.toml $(PINNED) --group dev --constraints requirements.txt -o requirements-dev.txt
	$(VENV)/bin/uv pip compile $(PINNED) --group recogniser --constraints requirements-dev.txt -o requirements-asr.txt

fuzz: $(VENV)/test.stamp ## ask whatever may be asked, tens of thousands of times on each database
	PORTAL_TEST_EXAMPLES=10000 $(VENV)/bin/python -m pytest -q -m hypothesis tests/auth tests/pages tests/runs/test_query.py \
	  tests/history/test_import_order.py
	PORTAL_TEST_PAYLOADS=30000 PORTAL_TEST_FUZZ_EXAMPLES=450 PORTAL_TEST_FUZZ_LEAST=20000 PORTAL_TEST_FUZZ_SECONDS=3600 \
	  PORTAL_TEST_FUZZ_CREDENTIALS="key token" PORTAL_TEST_HISTORY_RUNS=20000 $(VENV)/bin/python -m pytest -s --durations=2 tests/fuzz

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Run Portal needs Python 3.11 or newer.")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

.onepin/%/stamp: tests/onepin/%.txt $(VENV)/test.stamp
	@rm -rf $(@D)
	$(VENV)/bin/python -m pip install --quiet --require-hashes --no-deps --target $(@D) -r $<
	@touch $@

tests/oidc/node_modules/stamp: tests/oidc/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix tests/oidc --no-audit --no-fund --loglevel error; fi
	@mkdir -p $(@D) && touch $@

instance/secret-key:
	@mkdir -p instance
	@umask 077 && $(PYTHON) -c 'import secrets; print(secrets.token_hex(32))' > $@

.PHONY: help fuzz run test test-fast check lock shots bench
