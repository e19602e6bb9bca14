# Everything runs in an environment of its own; VENV=... chooses another place, PYTHON=... another interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# One thread a test process: two with two threads each starve one another.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help install demo docs test test-slow test-slurm lint check format bench bench-gpu clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(VENV)/.installed ## make the environment (Python 3.11 or later with pip)

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: PYTHON=python3.11 make ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: install ## train a DCGAN on scikit-learn's digits: one to two minutes on two cores
	$(BIN)/python train.py experiment=digits
	@echo 'Type next: $(BIN)/python train.py data=mnist    # DCGAN on MNIST, 2,000 steps'

docs: install ## build the site, docs/_build/html: three minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -n -b html docs docs/_build/html

test: install ## run the fast tests
	$(TESTS)

test-slow: install ## run the tests that take longer
	$(TESTS) -m slow

test-slurm: install ## run a sweep on a SLURM of one node, from Debian's packages
	sh tests/slurm/install.sh
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm tests/slurm -rA

lint: install ## check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint test ## format, lint, types, fast tests

format: install ## format and sort imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## measure training steps of several models, ten minutes: a table, a plot, JSON
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.selection

bench-gpu: install ## the same on a GPU, at the sizes of the papers
	$(BIN)/python -m benchmarks.selection size=paper accelerators=gpu,gpu_amp,fast batch=64 out=bench-gpu

clean: ## remove caches and builds, not runs or data
	rm -rf .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info docs/_build docs/api docs/models
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
