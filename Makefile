# Each target installs what it needs, if that has not been done. `make help` lists them.

PYTHON  ?= python3
WORKERS ?= 2
STORE   ?= sqlite:///data/consent.db
PANEL   ?= 127.0.0.1:8000
DOMAINS ?= docs/examples/directory.jsonl

BIN       := .venv/bin
INSTALLED := .venv/.installed
PROTO_BIN := .venv-proto/bin
GENERATOR := .venv-proto/.installed

# A lock file names everything, so there is nothing to resolve: what was released since is not looked at.
INSTALL := -m pip --disable-pip-version-check install --quiet --no-deps
LOCKED  := $(INSTALL) --require-hashes -r
PYTEST  := $(BIN)/pytest --numprocesses auto --maxprocesses $(WORKERS)
# What is pinned stays so, unless: make lock LOCK=--upgrade
RESOLVE := $(BIN)/uv --quiet --no-config --system-certs pip compile $(LOCK) --universal --python-version 3.11 \
           --generate-hashes --no-header --no-annotate

.PHONY: help install run demo test browser soak coverage bench check lint types imports deps proto-lint \
        proto-breaking proto-check proto lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## Make .venv/ with the service, its clients and the tools

run: $(INSTALLED) ## Serve in the foreground with the panel beside it, from a file in data/
	@mkdir -p data/outbox
	$(BIN)/consentsvc run --store $(STORE) --panel $(PANEL) --directory $(DOMAINS) --outbox data/outbox

demo: $(INSTALLED) ## See consent given, used and withdrawn
	$(BIN)/consentsvc demo

test: browser ## Run the tests
	$(PYTEST)

soak: browser ## Run the tests, the long ones in full
	$(PYTEST) -m "soak or not soak" --timeout 3600

coverage: browser ## Run the tests and list the lines that they miss
	$(PYTEST) --cov

browser: $(INSTALLED)
	@tools/browser.sh

bench: $(INSTALLED) ## Measure
	@GRPC_VERBOSITY=NONE $(BIN)/python -m tests.benchmarks

check: lint types imports deps proto-lint proto-breaking proto-check ## Run the static checks

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports --no-logo

deps: $(INSTALLED)
	$(BIN)/deptry --no-ansi .

proto-lint: $(INSTALLED)
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code

proto-breaking: $(INSTALLED)
	tools/proto-breaking.sh $(BIN)/buf

proto-check: $(GENERATOR)
	$(PROTO_BIN)/python proto/generate.py --check

proto: $(GENERATOR) ## Generate consentsvc/v1/ from the protos
	$(PROTO_BIN)/python proto/generate.py

# Runtime follows dev, so that what is tested is what is deployed.
lock: $(INSTALLED) ## Pin anew in requirements/ what pyproject.toml asks for
	$(RESOLVE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	$(RESOLVE) pyproject.toml --all-extras -c requirements/dev.txt -o requirements/runtime.txt
	$(RESOLVE) --group pyproject.toml:proto -o requirements/proto.txt

clean: ## Remove what was made, but no data
	rm -rf .venv .venv-proto build dist .*_cache .hypothesis .coverage .coverage.*

$(INSTALLED): pyproject.toml requirements/dev.txt tools/bootstrap.sh tools/debian.sh
	@echo "Installing into .venv/, which takes about half a minute"
	@tools/bootstrap.sh "$(PYTHON)" .venv
	@$(BIN)/python $(LOCKED) requirements/dev.txt
	@$(BIN)/python $(INSTALL) --no-build-isolation --editable .
	@touch $@

$(GENERATOR): requirements/proto.txt tools/bootstrap.sh tools/debian.sh
	@echo "Installing into .venv-proto/"
	@tools/bootstrap.sh "$(PYTHON)" .venv-proto
	@$(PROTO_BIN)/python $(LOCKED) requirements/proto.txt
	@touch $@
