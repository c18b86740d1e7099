# What a newcomer and a machine need: demo, test, check. Everything is set up on the way and lands in .venv.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
USERS ?= 120
# The browser's journeys start servers of their own, so a few workers at a time are enough.
WORKERS ?= 2
# What make bench measures, one after the other: each is a file in benchmarks/ that stands by itself.
BENCH ?= import write scim mail activation spreadsheet
FAULTS := tests/faults tests/services/cycles/test_any_order.py
# In the order of their names: the files with the fewest tests would come last otherwise, and those take the longest.
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PYTEST ?= $(BIN)/python -m pytest $(SPREAD)

.PHONY: demo test test-postgres check faults faults-postgres bench pictures vendor lock migration browser clean help

help:  ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-16s%s\n", $$1, $$2}' Makefile

demo: $(VENV)/.runtime  ## Serve the product with a sandbox tenant
	$(BIN)/provision demo --port $(PORT) --users $(USERS)

test: browser  ## Every test, on SQLite, journeys in a real browser included
	$(PYTEST) $(ARGS)

test-postgres: $(VENV)/.develop  ## Every test but the journeys, on a throw-away PostgreSQL
	sh tools/postgres.sh
	$(BIN)/python -m tests.postgres -- $(BIN)/python -m pytest $(SPREAD) -m "not journey and not faults" $(ARGS)

check: $(VENV)/.develop  ## Linters, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

faults: $(VENV)/.develop  ## The long fault runs, about an hour; the seed and revision first, what was counted last
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m faults $(FAULTS) $(ARGS)

faults-postgres: $(VENV)/.develop  ## The same on a throw-away PostgreSQL
	sh tools/postgres.sh
	$(BIN)/python -m tests.postgres -- $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m faults $(FAULTS) $(ARGS)

bench: $(VENV)/.develop  ## The figures in time, as ratios; one of them: make bench BENCH=mail
	@set -e; for each in $(BENCH); do echo "== $$each"; $(BIN)/python benchmarks/$$each.py; done

pictures: browser  ## Take the README's pictures again, of the running product
	$(BIN)/python -m tests.journeys.pictures docs/pictures

vendor: $(VENV)/.develop  ## Fetch the front-end files again and compare them with their checksums
	$(BIN)/python tools/vendor.py

lock: $(VENV)/.develop  ## Lock the dependencies anew, with hashes and without an index
	$(BIN)/python tools/lock.py

migration: $(VENV)/.develop  ## Write a migration from the tables: make migration NAME="what changed"
	$(BIN)/python tools/migration.py "$(NAME)"

browser: $(VENV)/.develop
	@sh tools/browser.sh

# An environment holds for the place where it was made, and as long as its Python is there.
ifneq ($(shell test -x $(BIN)/python && cat $(VENV)/.place 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/.runtime $(VENV)/.develop
endif

$(VENV)/.runtime: requirements.lock pyproject.toml
	@sh tools/venv.sh "$(PYTHON)" $(VENV) requirements.lock
	@touch $@

$(VENV)/.develop: requirements-dev.lock pyproject.toml
	@sh tools/venv.sh "$(PYTHON)" $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.runtime

clean:  ## Remove what make made; data/ stays
	rm -rf $(VENV) dist build *.egg-info
