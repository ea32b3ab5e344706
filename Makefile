# make demo   an example district from nothing to report, in demo/
# make test   style, types and tests
# make web    the map library of the reviewers' page, from npm into cvpipe/review/static/vendor
# make wheel  a wheel in dist/ that carries it
# Both set up what they need in .venv, once. Override: make demo PYTHON=python3.12 VENV=/somewhere
PYTHON ?= python3
VENV ?= .venv
# The versions that were tested together; `make CONSTRAINTS=` takes whatever pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
WEB := cvpipe/review/web
BUNDLE := cvpipe/review/static/vendor/map.js
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet $(if $(CONSTRAINTS),-c $(CONSTRAINTS))

.PHONY: demo test lint clean web wheel
.DELETE_ON_ERROR:

demo: $(VENV)/.ready
	$(BIN)/cvpipe demo --out demo

# Without npm the tests that drive a browser are skipped.
test: lint $(if $(shell command -v npm),$(BUNDLE))
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

web: $(BUNDLE)

$(BUNDLE): $(WEB)/package-lock.json $(WEB)/package.json $(WEB)/map.js
	cd $(WEB) && npm ci --no-audit --no-fund && npm run build

wheel: $(BUNDLE) $(VENV)/.ready
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

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
