# Everything a person types. `make demo` and `make test` make their own .venv; nothing has to be installed before.

PYTHON ?= python3
PYTEST_ARGS ?= -n 2 --dist worksteal
DEMO := runs/demo
BIN := .venv/bin
PIP := $(BIN)/python -m pip
INSTALL := $(PIP) install --quiet -c constraints.txt
CORE := .venv/.installed
DEV := .venv/.installed-dev

export NO_MKDOCS_2_WARNING := 1 # a notice about mkdocs' successor, at every build

.DEFAULT_GOAL := help
.PHONY: help demo test lint docs clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(CORE)  ## learn catch inside dreams, then play, film and measure it (10 minutes at most)
	$(BIN)/jedi train catch --run-dir $(DEMO) --overwrite
	$(BIN)/jedi eval $(DEMO) --episodes 200 --greedy --video $(DEMO)/agent.mp4 --json $(DEMO)/eval.json
	$(BIN)/jedi eval $(DEMO) --fidelity
	$(BIN)/jedi dream $(DEMO) --side-by-side --horizon 7 --episodes 8 --out $(DEMO)/dream.mp4
	@echo
	@echo "learning curve  $(DEMO)/learning_curve.png"
	@echo "fidelity        $(DEMO)/fidelity.png"
	@echo "the agent plays $(DEMO)/agent.mp4"
	@echo "and it dreams   $(DEMO)/dream.mp4, beside what really happened"
	@echo "checkpoint      $(DEMO)/checkpoints"

test: lint  ## lint, types, imports, tests, docs and the package: what the CI runs
	OMP_NUM_THREADS=1 $(BIN)/pytest $(PYTEST_ARGS)
	$(BIN)/mkdocs build --strict --quiet
	$(BIN)/python tests/packaging/check_wheel.py

lint: $(DEV)  ## lint, format, types and the import contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports

docs: $(DEV)  ## the documentation, served while you write
	$(BIN)/mkdocs serve

clean:  ## remove the environment and everything built; runs/ stays
	rm -rf .venv dist site .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "jedi-sdk needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

# torch comes first, so that its pin is settled before anything that merely asks for "some torch"
$(CORE): .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) torch
	$(INSTALL) -e .
	@touch $@

$(DEV): .venv/bin/python pyproject.toml constraints.txt
	$(INSTALL) torch
	$(INSTALL) -e '.[all,dev,docs]'
	@touch $@
