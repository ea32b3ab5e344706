# make demo   an example district from nothing to report, in demo/
# make test   style, types and tests
# make web    the map library of the reviewers' page, from npm into cvpipe/review/static/vendor
# make wheel  a wheel in dist/ that carries it, the default network and the commented settings
# make docs   the documentation as a site, in build/docs
# make sbom   what is installed in VENV: bill of materials (CycloneDX) and list of licences, in build/
# make test-oldest   the tests with the oldest versions that pyproject.toml allows, in .venv-oldest
# All set up what they need in .venv, once. Override: make demo PYTHON=python3.12 VENV=/somewhere
PYTHON ?= python3
VENV ?= .venv
# The versions that were tested together; `make CONSTRAINTS=` takes whatever pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
WEB := cvpipe/review/web
BUNDLE := cvpipe/review/static/vendor/map.js
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet $(if $(CONSTRAINTS),-c $(CONSTRAINTS))

.PHONY: demo test lint clean web wheel docs sbom test-oldest
.DELETE_ON_ERROR:

demo: $(VENV)/.ready
	$(BIN)/cvpipe demo --out demo

# A worker that dies is not replaced: xdist would wait for ever for what it had left of a file.
PYTEST := -m pytest -n 2 --dist loadfile --max-worker-restart 0

# Without npm the tests that drive a browser are skipped.
test: lint docs $(if $(shell command -v npm),$(BUNDLE))
	$(BIN)/python $(PYTEST)

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint --config scripts/deploy/hadolint.yaml scripts/deploy/Dockerfile*

docs: $(VENV)/.ready-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# In an environment of their own: openpyxl reads with lxml where it is there, which these bring along.
TOOLS := build/tools
sbom: $(VENV)/.ready $(TOOLS)/.ready
	$(TOOLS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON \
	  -o build/sbom.cdx.json $(BIN)/python
	$(TOOLS)/bin/pip-licenses --python=$(BIN)/python --with-urls --format=markdown --output-file=build/licences.md

$(TOOLS)/.ready:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --disable-pip-version-check --quiet cyclonedx-bom==7.5.0 pip-licenses==5.5.5
	@touch $@

# The lowest versions that pyproject.toml allows and that fit together; what they bring along is the newest. Old libraries
# warn of what newer ones changed, so here warnings are no errors. OLDEST overrides single versions, for example where the
# oldest torch would bring CUDA along: make test-oldest OLDEST='torch==2.13.0+cpu torchvision==0.28.0' PICK='-m "not slow"'
OLDEST ?=
PICK ?=
test-oldest: $(TOOLS)/.uv
	$(PYTHON) -m venv .venv-oldest
	printf '%s\n' $(OLDEST) > $(TOOLS)/oldest.txt
	$(TOOLS)/bin/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct \
	  --override $(TOOLS)/oldest.txt -e '.[dev]'
	.venv-oldest/bin/python $(PYTEST) -o filterwarnings=default $(PICK)

$(TOOLS)/.uv:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --disable-pip-version-check --quiet 'uv>=0.9'
	@touch $@

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
