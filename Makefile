# Everything a developer or a stranger does here, by one word each. `make help` lists them.
# Needs make and Python 3.11 or newer; everything else is installed into .venv.

PYTHON = .venv/bin/python
MANIFEST = manifests/quickstart.yaml

.DEFAULT_GOAL := check
.PHONY: help check format lint types imports docs reference fast test web chaos up down bench clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

check: lint types imports docs fast ## everything that must hold before a commit, in under a minute

format: .venv/tools ## bring the code into its form
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint: .venv/tools ## form and style
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types: .venv/tools ## mypy, strict
	$(PYTHON) -m mypy

imports: .venv/tools ## who may import whom
	.venv/bin/lint-imports

docs: .venv/tools ## the reference agrees with the code
	$(PYTHON) -m docs.generate --check

reference: .venv/tools ## write the tables of the reference anew
	$(PYTHON) -m docs.generate
	.venv/bin/pmon3 schema --draft 7 > schema/manifest.7.json
	.venv/bin/pmon3 schema --draft 2020-12 > schema/manifest.2020-12.json

fast: .venv/tools ## tests that take less than a quarter of a second each
	$(PYTHON) -m pytest -q -n auto -m "not slow"

test: .venv/tools ## all tests
	$(PYTHON) -m pytest -q -n auto

# pmond also follows the manifest, so that an edit of it is applied by itself.
up: .venv/installed ## run the quickstart: pmond, and the processes of manifests/quickstart.yaml
	PMON3_PROCESS_CONF="$(CURDIR)/$(MANIFEST)" $(PYTHON) -m pmon3 up -f $(MANIFEST)

down: .venv/installed ## stop them, and pmond
	$(PYTHON) -m pmon3 down

web: .venv/tools ## the quickstart, and the page that shows it; Ctrl-C ends the page
	PMON3_PROCESS_CONF="$(CURDIR)/$(MANIFEST)" $(PYTHON) -m pmon3 up -f $(MANIFEST)
	$(PYTHON) -m pmon3 web

chaos: .venv/tools ## kill pmond two thousand times, and count what was lost
	$(PYTHON) -m tests.chaos.long 2000
	$(PYTHON) -m tests.chaos.timetable 500
	$(PYTHON) -m tests.chaos.torrent 60
	$(PYTHON) -m tests.chaos.torrent 60 100 1 /dev/shm

bench: .venv/tools ## measure pmon3 beside its peers
	$(PYTHON) benchmarks/run.py

clean: ## remove what the other targets have made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The virtual environment: first the programs, then, for those who need them, the developers' tools.
.venv/installed: pyproject.toml controller/build_launcher.py controller/pmond/runtime/processes/launcher.c
	@set -e; for python in python3 python3.14 python3.13 python3.12 python3.11 /usr/local/bin/python3 /usr/bin/python3; do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        "$$python" -m venv .venv; .venv/bin/python -m pip install -q --disable-pip-version-check -e .; \
	        touch $@; exit 0; \
	    fi; \
	done; \
	echo 'cannot set up .venv: no Python 3.11 or newer with venv (install python3.11 and python3.11-venv)' >&2; exit 1

.venv/tools: .venv/installed
	$(PYTHON) -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@
