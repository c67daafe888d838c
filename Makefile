# Every target sets up what it needs: its own .venv with the pinned versions of requirements.lock.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN ?= runs/nano-ladder
SUPERNET := runs/nano-supernet
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install sweep test test-slow check docs lint lock benchmarks soak clean

help:  ## Show this list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(READY)  ## Set up .venv.

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The study names the supernet by its folder; both go on where they were stopped.
sweep: $(READY)  ## The main job: a search on the embedded data set, from a supernet to a confirmed Pareto front.
	$(BIN)/topformer supernet train nano-ladder --out $(SUPERNET) --threads $(WORKERS)
	$(BIN)/topformer sweep nano-ladder --out $(RUN) --workers $(WORKERS)

# One thread for each of the two workers: with more, they wait for each other.
test: $(READY)  ## The whole test suite.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-slow: $(READY)  ## The tests that take minutes.
	$(BIN)/python -m pytest -m slow

check: $(READY)  ## Format, lint, types, imports, dead code, version, and the documentation site with its links.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python .ci/check_version
	$(BIN)/python -m docs.make.site

docs: $(READY)  ## Build the documentation site into site/; a link that leads nowhere is a failure.
	$(BIN)/python -m docs.make.site

lint: $(READY)  ## Mend what can be mended.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(READY)  ## Write requirements.lock from what .venv holds.
	(sed -n '/^#/p' requirements.lock; $(BIN)/python -m pip freeze --exclude topformer-explorer | grep -v '^-e') > requirements.new
	mv requirements.new requirements.lock

benchmarks: $(READY)  ## Print the ratios of docs/benchmarks.md that take minutes and need nothing.
	for program in designs_per_second sweep_overhead lean_loop forward; do $(BIN)/python -m benchmarks.$$program || exit 1; done

soak: $(READY)  ## A shared sweep under a hundred kills, in some minutes: nothing lost, repeated or left over.
	$(BIN)/python -m benchmarks.soak

clean:  ## Remove .venv and caches; runs/ stays.
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
