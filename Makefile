# `make demo` and `make test` do all the set-up: a virtual environment in .venv with everything this project needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo screens test test-slurm mutations check lint format install install-dev pretrain clean

demo: .venv.stamp
	$(BIN)/loramake run --name demo --cores 2

# Some five minutes: the pictures of README and docs/, of a terminal (tmux) and of the page (chromium); look at them.
screens: demo
	$(BIN)/python docs/screens/capture.py
	$(BIN)/python docs/screens/capture_report.py results/demo/report.html

test: .venv.stamp
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/unit tests/rules --numprocesses 2 --dist loadfile
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/workflow --numprocesses 3 --dist worksteal
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/slurm -m "not slow"

# Some 40 minutes where other work runs, too, as root: every failure of a job, and trainings of several processes, on a SLURM that it starts and stops.
test-slurm: .venv.stamp
	tests/slurm/cluster.sh install
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/slurm

# Over an hour: 200 mutants of the library, and how many of them the unit tests kill.
mutations: .venv.stamp
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutations.py

lint: check

check: .venv.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/python tests/lint_workflow.py
	[ ! -x $(BIN)/hadolint ] || $(BIN)/hadolint Dockerfile

format: .venv.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

pretrain: .venv.stamp
	$(BIN)/python pretraining/pretrain.py

install:
	$(PYTHON) -m pip install '.[train]'

install-dev: .venv.stamp

.venv.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "installing the training stack: some minutes and 6 GB the first time"
	$(BIN)/python -m pip install --quiet --editable '.[train,dev]'
	touch $@

clean:
	rm -rf .venv .venv.stamp results .snakemake .mypy_cache .ruff_cache .pytest_cache dist
