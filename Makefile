# make demo   an example district from nothing to report, in demo/
# make test   style, types and tests
# Both set up what they need in .venv, once. Override: make demo PYTHON=python3.12 VENV=/somewhere
PYTHON ?= python3
VENV ?= .venv
# The versions that were tested together; `make CONSTRAINTS=` takes whatever pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet $(if $(CONSTRAINTS),-c $(CONSTRAINTS))

.PHONY: demo test lint clean
.DELETE_ON_ERROR:

demo: $(VENV)/.ready
	$(BIN)/cvpipe demo --out demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	@echo "installing cvpipe and its libraries into $(VENV)"
	$(INSTALL) -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "installing the tools of development into $(VENV)"
	$(INSTALL) -e '.[dev]'
	@touch $@

clean:
	rm -rf demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache
