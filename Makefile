# Everything runs from the project-local .venv; uv itself lives in .venv-uv.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .venv-uv/bin/uv
# The interpreter is the machine's own; none is downloaded.
export UV_PYTHON_DOWNLOADS := never
EXTRAS := --extra local
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo up down test unit bench peers lint types stubs clean

help: ## Shows the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or later is missing: apt-get install python3"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@command -v g++ >/dev/null || { echo "A C++ compiler is missing: apt-get install g++"; exit 1; }
	@echo "Installing uv into .venv-uv"
	@$(PYTHON) -m venv .venv-uv && .venv-uv/bin/python -m pip install -q uv==$(UV_VERSION)

.venv: $(UV) ## Makes the environment, the stubs and the matcher
	@$(PYTHON) -c 'import sysconfig, pathlib, sys; sys.exit(not pathlib.Path(sysconfig.get_paths()["include"], "Python.h").exists())' \
	  || { echo "Python's headers are missing: apt-get install python3-dev"; exit 1; }
	@mkdir -p build/stubs
	@$(UV) sync --frozen --quiet --inexact --python $(PYTHON) $(EXTRAS)
.PHONY: .venv

peers: $(UV) ## Adds the libraries that `idmesh bench match` measures the matcher against
	@mkdir -p build/stubs
	@$(UV) sync --frozen --quiet --inexact --python $(PYTHON) $(EXTRAS) --extra bench

stubs: .venv ## Regenerates the gRPC stubs

demo: .venv ## Starts the mesh, enrols people, authenticates them, stops
	@$(PY) -m services.cli demo

up: .venv ## Starts the mesh and keeps it running until Ctrl-C
	@$(PY) -m services.cli up

down: .venv ## Stops a mesh that runs in .idmesh
	@$(PY) -m services.cli down

.venv-sdk: .venv ## Makes the environment of the foreign client, which pins old libraries
	-@$(PY) -m tests.system.sdk.install
.PHONY: .venv-sdk

test: .venv .venv-sdk ## Runs all tests; says at the end what this machine lacked
	@$(PY) -m pytest -q -p no:cacheprovider tests

unit: .venv ## Runs the fast tests only: no process, no network
	@$(PY) -m pytest -q tests/unit

bench: peers ## Measures the matcher, enrolments and authentications
	@$(PY) -m services.cli bench match
	@$(PY) -m services.cli bench enrol
	@$(PY) -m services.cli bench auth

lint: .venv ## Style, import contracts, proto style and compatibility
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@.venv/bin/lint-imports --no-logo
	@.ci/buf

types: .venv ## mypy, strict
	@$(PY) -m mypy services matcher_ext vault tests

clean: ## Removes what was built; leaves data folders alone
	rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
