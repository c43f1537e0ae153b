# One word for each thing to do; the same words in CI. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check compiled bench pages kit clean

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## serve the cluster in examples/ on 127.0.0.1:1053
	@exec $(BIN)/kdns serve --manifests examples --listen 127.0.0.1:1053 \
		--health 127.0.0.1:0 --ready 127.0.0.1:0 --metrics 127.0.0.1:0

test: $(VENV)/.installed-dev ## run the tests
	$(BIN)/pytest -m 'not image'

check: $(VENV)/.installed-dev ## lint, formatting and strict types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

compiled: build/compiled/.made ## the package in build/compiled as the image has it (needs a C compiler)

bench: $(VENV)/.installed-dev build/compiled/.made ## measure, and print with what (BENCH=--quick for a look)
	$(BIN)/python -m bench $(BENCH)

pages: $(VENV)/.installed-dev ## write what is made from tables: parts of the reference of directives, man pages
	$(BIN)/python -m tests.repository.pages
	$(BIN)/python -m tests.repository.manpages

kit: $(VENV)/.installed-dev ## write the parts of manifests/ and charts/ that are made from others (needs kubectl)
	$(BIN)/python -m tests.kit.render

clean: ## take away the virtual environment and what tools left
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info

# The stamps say what is installed: only a change of what is needed installs again, since the package itself is
# installed as a link to this folder.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

build/compiled/.made: setup.py pyproject.toml $(shell find kdns -name '*.py') | $(VENV)/.installed-dev
	rm -rf build/compiled build/lib* build/temp* build/bdist* # what was compiled before, and is no longer
	KDNS_COMPILED=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/compiled .
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "kdns: found $$($(PYTHON) --version 2>&1 || true), expected Python 3.11 or newer;" \
			"name one that is: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "kdns: no virtual environment could be made; on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
