# `make capture` and `make test` work on a fresh machine with git, make and python3 (with venv).
SHELL := /bin/bash
PYTHON := .venv/bin/python
CHECKPOINT := .venv/bin/checkpoint
# Dagster's own files: runs, events, logs. Its settings are those of dagster.yaml.
export DAGSTER_HOME := $(CURDIR)/.dagster
export DAGSTER_DISABLE_TELEMETRY := yes

.DEFAULT_GOAL := help
.PHONY: help setup capture test test-s3 test-distributed fault bench check dev lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: ## environment, locked dependencies, Chromium
	@python3 .ci/setup

capture: setup ## capture the example scenarios through Dagster into ./.storage_data
	@$(CHECKPOINT) capture

test: setup ## all tests but the groups that need servers of their own
	@$(PYTHON) -m pytest -n 2 --dist loadscope -m "not s3 and not distributed"

test-s3: setup ## storage on a real S3 server: Ceph's radosgw from Debian packages
	@python3 .ci/setup ceph
	@$(PYTHON) -m pytest -n 2 --dist loadscope -m s3 checkpoint_assets_tests/storage_conformance

test-distributed: setup ## runs on two workers, with Postgres and Redis from Debian packages
	@python3 .ci/setup servers
	@$(PYTHON) -m pytest -m distributed checkpoint_assets_tests/distributed

fault: setup ## kills, faults and models at full length
	@CHECKPOINT_FAULT_SCALE=full $(PYTHON) -m pytest -n 2 --timeout 3600 -m "fault and not s3"

bench: setup ## benchmarks, side by side
	@$(PYTHON) bench/storage.py
	@$(PYTHON) bench/capture.py
	@$(PYTHON) bench/catalogue.py
	@$(PYTHON) bench/dagster.py

check: setup ## format, lint, types, import layers, spelling
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/pyright
	@.venv/bin/lint-imports
	@.venv/bin/codespell

dev: setup ## Dagster's UI, schedules and sensors on 127.0.0.1:3000, and the built-in sites
	@$(CHECKPOINT) dev

lock: ## write the lock files anew from pyproject.toml
	@uv=$$(command -v uv || echo .uv/bin/uv); \
	compile="$$uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml"; \
	eval "$$compile --upgrade -o requirements/base.lock" && \
	eval "$$compile --upgrade --extra distributed -o requirements/distributed.lock" && \
	eval "$$compile --upgrade --group sites --group dev --extra distributed -o requirements/dev.lock"

clean: ## remove the environment and everything captured here
	rm -rf .venv .uv .dagster .storage_data
