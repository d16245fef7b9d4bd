# Needs Python 3.11 or newer with pip, and make; nothing else. `make help` lists what it can do.
PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# The tests start many processes that import everything: what Python compiles is kept, whatever the caller's habit is.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo up test check bench chaos openapi lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

install: $(RUNTIME)  ## build the environment; the command is then .venv/bin/backoffice

demo: $(RUNTIME)  ## play one firm's payday from end to end
	@$(BIN)/backoffice demo

up: $(RUNTIME)  ## serve: API, worker, dispatcher and courier, until Ctrl-C
	@$(BIN)/backoffice up

test: $(DEV)  ## all tests, on the embedded PostgreSQL
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal

check: $(DEV)  ## format, lint, types, layers and the fast tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy src
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/rules tests/kernel tests/payroll/calc

bench: $(DEV)  ## measure, beside what one would use instead; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks --write

chaos: $(DEV)  ## the tests that can be made larger, with the large numbers (hours)
	@BACKOFFICE_CHAOS=1 $(BIN)/python -m pytest -q -m large

openapi: $(RUNTIME)  ## write openapi/v1.yaml and the event schemas from the code
	@$(BIN)/backoffice openapi

lock: $(DEV)  ## renew the locks from pyproject.toml (UPGRADE=1: to the newest versions)
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) pyproject.toml --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	@printf 'uv\n' | $(COMPILE) - --output-file requirements-uv.lock

clean:  ## remove the environment and caches; .backoffice/ (your data) stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis .import_linter_cache
	@find src tests examples benchmarks infra -name __pycache__ -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock requirements-uv.lock infra/environment.py
	@$(PYTHON) infra/environment.py requirements.lock
	@touch $@

$(DEV): requirements-dev.lock requirements-uv.lock infra/environment.py
	@$(PYTHON) infra/environment.py requirements-dev.lock
	@touch $@
