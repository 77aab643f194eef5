# Each target sets up what it needs; nothing has to be installed or started by hand.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup run test sweep fuzz bench lint
setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

run: setup
	$(BIN)/gateway demo

test: setup
	$(BIN)/python -m pytest -m 'not sweep' -n 2 --dist worksteal

sweep: setup
	$(BIN)/python -m pytest -m sweep

FUZZ_SECONDS ?= 120
fuzz: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz.seeds .fuzz/corpus
	$(BIN)/python -m tests.fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -print_final_stats=1 -artifact_prefix=.fuzz/ .fuzz/corpus

bench: setup
	$(BIN)/python -m benchmarks

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
