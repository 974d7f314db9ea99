# Two commands on a fresh machine: `make run` and `make test`. Everything else is listed by `make help`.

PYTHON ?= python3
VENV ?= .venv
RESULTS ?= results/reference
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-lowest lint docs dist figures claims report numbers reference paper clean

help: ## show this list
	@grep -hE '^[a-z0-9_%-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spred-bench needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev,genes,parallel,hpc]'
	@for peer in $$($(BIN)/python scripts/peers.py); do \
		$(BIN)/python -m pip install --quiet --only-binary :all: "$$peer" || \
		echo "$$peer: not installed (no wheel for this Python or machine); its solver is skipped"; \
	done
	@touch $@

run: $(INSTALLED) ## make the environment and run the main job (under two minutes)
	$(BIN)/spred-bench task=lasso_scaling

test: lint docs ## make the environment, run ruff, the type checker, the site and all tests
	$(BIN)/python -m pytest -n 2

test-fast: lint ## the tests that take less than some seconds each
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-lowest: ## the fast tests with the lowest versions that pyproject.toml allows, in .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct --editable '.[dev]'
	.venv-lowest/bin/python -m pytest -n 2 -m "not slow"

lint: $(INSTALLED) ## ruff and the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED) ## build the documentation site: build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

dist: $(INSTALLED) ## build wheel and sdist, check them, install the wheel into an empty environment and run it
	rm -rf dist build/installed
	$(BIN)/python -m build --quiet --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -m venv build/installed
	build/installed/bin/python -m pip install --quiet dist/*.whl
	cd build && installed/bin/spred-bench --help >/dev/null && installed/bin/spred-bench list >/dev/null

figures: $(INSTALLED) ## draw every figure again from the committed rows
	@printf '%s\n' $(wildcard results/reference/*) | xargs -n 15 -P 2 $(BIN)/spred-bench plot

claims: $(INSTALLED) ## judge every claim of the paper by the committed rows: RESULTS=results for your own
	$(BIN)/spred-bench claims $(RESULTS)

report: $(INSTALLED) ## one HTML page with claims, figures, settings and machines: report.html
	$(BIN)/spred-bench report $(RESULTS)

numbers: $(INSTALLED) ## write the numbers and tables of README and docs from the committed rows
	$(BIN)/python scripts/written_numbers.py

paper: $(INSTALLED) ## list the runs at the paper's size, for a CUDA machine, with estimated hours
	@$(BIN)/spred-bench claims --paper

fig2: fig2_left fig2_right ## both panels of Fig. 2
	@:

fig%: $(INSTALLED) ## run an experiment at this machine's scale and draw it: make fig1 ... make fig7
	@$(BIN)/spred-bench experiment=$@ $(ARGS)

table%: $(INSTALLED) ## run an experiment and write its table: make table1, make table2 ARGS="scale=smoke"
	@$(BIN)/spred-bench experiment=$@ $(ARGS)

clean: ## remove the environment and caches, keep the results
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache build dist

reference: $(INSTALLED) ## make all reference rows again from nothing (hours on two idle cores)
	$(BIN)/python scripts/make_reference.py
