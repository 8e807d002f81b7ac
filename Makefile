# Two commands are enough: `make demo` and `make test`. Each sets up what it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.DEFAULT_GOAL := help
.PHONY: help demo demo-postcodes test check bench docs clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.venv/pip:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --upgrade pip
	@touch $@

.venv/penstock: .venv/pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

.venv/rest: .venv/penstock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[rest]"
	@touch $@

.venv/test: .venv/penstock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group test
	@touch $@

.venv/check: .venv/penstock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group test --group check
	@touch $@

.venv/docs: .venv/penstock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group docs
	@touch $@

demo: .venv/penstock  ## Generate data, load it, add new data, load only that
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh $(DEMO)

demo-postcodes: .venv/rest  ## A thousand calls of an API, checked, kept, loaded and counted day by day
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo_postcodes.sh $(DEMO)-postcodes

test: .venv/test  ## The whole test suite, slow tests included
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: .venv/check  ## Style, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/penstock  ## Time Penstock beside its peers; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/docs  ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## Remove what was built
	rm -rf .venv $(DEMO) $(DEMO)-postcodes site build dist benchmarks/.work
