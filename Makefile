# Thin: each target is one or two commands that can be typed by hand.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-integration lint format docs bench clean

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-integration: $(VENV)/.dev
	$(BIN)/python -m pytest -m integration --numprocesses auto --maxprocesses 4 --dist worksteal

demo: $(VENV)/.installed
	$(BIN)/ganbench run benchmarks/cgan_mnist.yaml

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/perf/bench.py

docs: $(VENV)/.installed
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV)
