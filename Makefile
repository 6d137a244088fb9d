# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PORT := $(or $(KAMKAP_PORT),8000)
VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(shell deploy/setup/find-python)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: $(VENV)/.installed ## make .venv with the locked dependencies

$(VENV)/.installed: requirements.lock pyproject.toml deploy/setup/find-python
	@test -n "$(PYTHON)" || { deploy/setup/find-python why >&2; exit 1; }
	@deploy/setup/install "$(PYTHON)" "$(VENV)"
	@touch $@

run: setup ## start everything on one port with the demonstration country
	@exec $(BIN)/kamkap up --port $(PORT)

test: setup ## linters, types and the whole test suite, on real Postgres and real Kafka
	@deploy/setup/test-tools
	@deploy/setup/test $(BIN)

faults: setup ## the full fault matrix
	@deploy/setup/test-tools
	@$(BIN)/python -m pytest tests/faults --faults=full

bench: setup ## measurements: ours, the floor and the ratio
	@deploy/setup/test-tools
	@$(BIN)/python -m bench

lock: setup ## pin the dependencies again, with hashes
	@$(BIN)/uv pip compile --generate-hashes --no-header --universal --group dev --group bench pyproject.toml -o requirements.lock

format: setup ## write the house's format
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.PHONY: help setup run test faults bench lock format
