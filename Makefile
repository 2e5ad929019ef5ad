# make up     install, start on this machine, stream one answer
# make test   install what tests need, check everything
# Needs Python 3.11 to 3.13 with pip, and gcc. Another Python: make PYTHON=python3.12 up
# PyTorch (only tests and training need it): the CPU build where the index has one; another: make TORCH='torch==2.13.0' test

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TORCH ?=
PROMPT ?= Who are you?
WORKERS ?= 2
export TORCH PROMPT

# The first interpreter of a version that we support; pyenv and asdf leave names behind that do not run.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$name && break; \
	done)
ENVIRONMENT = $(if $(PYTHON),$(PYTHON),@echo 'rocamadre: Python 3.11 to 3.13 is needed; none was found' >&2; false) .ci/environment.py

HOME_FOLDER := $(CURDIR)/.roca
BIN := $(CURDIR)/.venv/bin
ROCA := ROCA_HOME=$(HOME_FOLDER) $(BIN)/roca

.PHONY: help up down env test check format coverage scores newest oldest clean

help:
	@sed -n 's/^# make/make/p' Makefile
	@echo 'also: down env check format coverage scores newest oldest clean'

up:
	@$(ENVIRONMENT) run
	@$(ROCA) models prepare
	@$(ROCA) up
	@echo; echo "> $$PROMPT"
	@$(ROCA) run roca-mini "$$PROMPT" --max-tokens 64 --temperature 0 --stats
	@printf '\n%s\n' 'Next:' '  eval "$$(make -s env)"      point this shell at it: python your_app.py now runs here' \
		'  roca chat                  talk with the model (after the line above)' \
		'  roca --help                everything else; README.md has a first program' \
		'  make down                  stop'

down:
	@if [ -x $(BIN)/roca ]; then $(ROCA) down; fi

env:
	@echo 'export PATH="$(BIN):$$PATH"'
	@$(ROCA) env

test: export ROCA_TEST_ALL = 1
test:
	@$(ENVIRONMENT) test clients frameworks oldest
	@$(ROCA) models prepare
	@$(MAKE) check oldest
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 15 -W error --ignore=tests/browser
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 15 -W error tests/browser

check:
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format:
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

coverage:
	$(BIN)/python -m rocamadre.api.coverage
	$(BIN)/python -m rocamadre.cli.reference

scores:
	@$(ENVIRONMENT) test
	$(BIN)/python models/roca-mini/recipe/scores.py
	$(BIN)/python models/scores.py

oldest:
	@$(ENVIRONMENT) run oldest
	PYTHONPATH=$(CURDIR)/.venv-oldest $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 15 -W error tests/contract

newest:
	@$(ENVIRONMENT) test newest
	PYTHONPATH=$(CURDIR)/.venv-newest $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 15 -W error --ignore=tests/browser

clean: down
	rm -rf .venv .venv-* .venv.lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@echo 'rocamadre: state and models are still in .roca; remove that folder by hand'
