# Thin: each target is one or two commands that can be typed by hand.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-integration lint format docs docs-site docs-links docs-seen site site-seen check-results bench
.PHONY: prove-gpu clean

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

test-integration: $(VENV)/.dev
	$(BIN)/python -m pytest -m integration --numprocesses auto --maxprocesses 4 --dist worksteal

# What lies in results/published is as it was submitted; torch is not imported.
check-results: $(VENV)/.installed
	$(BIN)/ganbench results check results/published

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

# Ten minutes of an NVIDIA GPU; `--device cpu --quick` tries the script without one.
prove-gpu: $(VENV)/.dev
	$(BIN)/python benchmarks/gpu/prove.py

docs: $(VENV)/.installed
	$(BIN)/python docs/generate.py

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[docs]'
	touch $@

# Any warning fails, a link that leads nowhere within the site among them.
docs-site: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b dirhtml docs build/docs

# Links to other sites too, which takes a network.
docs-links: $(VENV)/.docs
	$(BIN)/sphinx-build -W --keep-going -b linkcheck docs build/links

# In a browser, phone and desk: axe-core finds nothing serious. Needs Node and Chromium.
docs-seen: docs-site
	npm install --silent --prefix docs
	node docs/seen.mjs build/docs

# The leaderboard over the published runs.
site: $(VENV)/.installed
	rm -rf build/site
	$(BIN)/ganbench results site results/published --out build/site

site-seen: site
	npm install --silent --prefix docs
	node docs/seen.mjs --whole build/site

clean:
	rm -rf $(VENV)
