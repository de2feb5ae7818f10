# SPDX-License-Identifier: GPL-3.0-or-later
# `make test` on a fresh clone does everything; it needs Python 3.11 or later, make and git. `make` alone prints what there is.
# Each check is one target. It prints one line, or all its output when it fails (V=1: always). Logs are in .build/log.

# The first Python that runs and is new enough; the names alone say nothing where pyenv answers for them.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

NEWEST_PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 $$(ls -rd $$HOME/.pyenv/versions/3.1[2-9]*/bin/python 2>/dev/null); do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo $$p; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
# Twice quiet: errors only.
PIP = $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint tests/constraints.txt
GATE = @$(BIN)/python tests/gates/run.py $@
COLLECTIONS := .build/collections
LINK := $(COLLECTIONS)/ansible_collections/hostpm/fencing
PYTEST := $(BIN)/python -m pytest
export PATH := $(CURDIR)/$(BIN):$(PATH)

CHECKS := tree-check sanity lint docs-check types style
TESTS := unit devices e2e
.PHONY: help test checks $(CHECKS) $(TESTS) format families dialogues coverage demo bench bench-peers test-ceiling test-floor clean

help: ## print this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-13s %s\n", $$1, $$2 }'

test: $(VENV)/dev ## set up all that is needed and run every check below, then the tests
	@failed=0; \
	$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target $(CHECKS) || failed=1; \
	$(MAKE) --no-print-directory --keep-going $(TESTS) || failed=1; \
	exit $$failed

# --- checks of the text; independent of each other ---

tree-check: $(VENV)/dev ## licence lines, stray paths, file sizes; the collection builds, installs and shows its documentation
	$(GATE) $(BIN)/python tests/gates/tree_check.py

sanity: $(VENV)/dev ## ansible-test sanity on every Python that is there
	$(GATE) $(BIN)/python tests/gates/sanity.py

lint: $(VENV)/dev ## ansible-lint (production profile) and the changelog fragments
	$(GATE) $(BIN)/python tests/gates/lint.py

docs-check: $(VENV)/dev $(LINK) ## antsibull-docs over the documentation of plugins and roles
	$(GATE) $(BIN)/antsibull-docs lint-collection-docs --plugin-docs $(LINK)

types: $(VENV)/dev $(LINK) ## mypy --strict
	$(GATE) env MYPYPATH=$(COLLECTIONS) $(BIN)/mypy

style: $(VENV)/dev ## ruff: rules and format
	$(GATE) sh -c '$(BIN)/ruff check --output-format concise && $(BIN)/ruff format --check --output-format concise'

# --- tests; they measure time, so one after the other. FENCING_NO_SKIPS=1 makes a skipped test a failure ---

unit: $(VENV)/dev ## tests without sockets: the logic against a simulated clock
	$(GATE) $(PYTEST) tests/unit

devices: $(VENV)/dev ## drivers against protocol servers that others wrote
	$(GATE) $(PYTEST) tests/devices

e2e: $(VENV)/dev ## the real ansible programs against the virtual rack
	$(GATE) $(PYTEST) tests/end_to_end

# --- not part of `make test` ---

test-ceiling: ## unit and end-to-end tests with the newest ansible-core and libraries, on the newest Python
	@test -n "$(NEWEST_PYTHON)" || { echo "no Python 3.12 or later found; name one: make test-ceiling NEWEST_PYTHON=..."; exit 1; }
	@$(NEWEST_PYTHON) -m venv --clear .build/ceiling
	@.build/ceiling/bin/python -m pip install -qq --disable-pip-version-check ansible-core -r requirements.txt -r tests/requirements.txt
	@.build/ceiling/bin/ansible --version | head -1
	@PATH=$(CURDIR)/.build/ceiling/bin:$$PATH .build/ceiling/bin/python -m pytest tests/unit tests/end_to_end

test-floor: ## unit and device tests with the oldest ansible-core and libraries that we say we support
	@$(PYTHON) -m venv --clear .build/floor
	@sed -n 's/ *#.*//; s/>=/==/p' requirements.txt > .build/floor/oldest.txt
	@.build/floor/bin/python -m pip install -qq --disable-pip-version-check ansible-core==2.19.0 -r .build/floor/oldest.txt -r tests/requirements.txt
	@PATH=$(CURDIR)/.build/floor/bin:$$PATH .build/floor/bin/python -m pytest -W ignore::DeprecationWarning tests/unit tests/devices

demo: $(VENV)/run $(LINK) ## restart virtual servers and watch: a dead BMC, two feeds, a wiring error, a failing PDU
	@$(BIN)/python -m tests.lab.demo

families: $(VENV)/run $(LINK) ## write docs/pdu_families.md from the table of families
	@$(BIN)/python tests/gates/pdu_families.py

coverage: $(VENV)/run $(LINK) ## write docs/coverage.md from all tables: every device, and every oVirt type
	@$(BIN)/python tests/gates/coverage.py

dialogues: $(VENV)/run $(LINK) ## write docs/cli_dialogues.md from the table of dialogues
	@$(BIN)/python tests/gates/cli_dialogues.py

bench: $(VENV)/dev ## measure both forms beside their peers and write docs/performance.md; for a quiet hour, see bench/README.md
	@$(BIN)/python bench/all.py

bench-peers: $(VENV)/dev ## install the peers of the benchmarks that come from PyPI
	@$(BIN)/python bench/all.py --install-peers

format: $(VENV)/dev ## let ruff format the code, and mend what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove the virtual environment and everything that was built
	rm -rf $(VENV) .build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# --- set-up ---

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with venv and ensurepip found (Debian: apt install python3-venv). Or name one: make PYTHON=..."; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run: $(VENV)/pyvenv.cfg requirements.txt tests/constraints.txt tests/requirements-run.txt
	@$(PIP) --requirement requirements.txt --requirement tests/requirements-run.txt
	@touch $@

$(VENV)/dev: $(VENV)/run tests/requirements.txt
	@$(PIP) --requirement tests/requirements.txt
	@touch $@

$(LINK):
	@mkdir -p $(dir $@)
	@ln -sfn $(CURDIR) $@
