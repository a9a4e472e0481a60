# Each target does all its set-up from Python (3.11 to 3.13) and make alone.

# The newest one that runs: a version manager may have a name on the path and nothing behind it.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11; do \
	"$$name" -c "" 2>/dev/null && echo "$$name" && exit; done; echo python3)
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
VENV := .venv
BIN := $(VENV)/bin
# By way of Python: the first line of a script in bin/ holds a path, which may be long or hold a space.
SNAKEMAKE := $(BIN)/python -m snakemake

# Snakemake keeps files in the home. Where that is read-only, they go beside its other files here.
ifneq ($(shell mkdir -p "$${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake" 2>/dev/null && test -w "$${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake" && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

.PHONY: demo test tests check format schema docs rulegraph help

help:
	@echo "make demo    run the demonstration study, from nothing to a report"
	@echo "make test    run the tests and the checks"
	@echo "make tests   run the tests alone"
	@echo "make check   formatting, lints and types"
	@echo "make format  format the code"
	@echo "make docs    build the documentation into site/"
	@echo "make schema  write schemas/config.schema.json and the types of specs anew"
	@echo "make rulegraph  draw docs/images/rules.svg anew (needs graphviz)"

# The workflow and what it needs.
$(VENV)/.installed: pyproject.toml requirements.txt
	@case "$$PWD" in *[{}:]*) echo "$$PWD: braces and colons in its path break the workflow. Move the folder." >&2; exit 1;; esac
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

# The tests' and developers' tools as well.
$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed
	@$(SNAKEMAKE) --cores $(CORES) --quiet rules progress

# Side by side: the checks of types keep one processor busy for most of a minute.
test: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory --jobs 2 check tests

tests: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder

check: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/snakefmt --check --compact-diff Snakefile rules
	@$(BIN)/mypy

format: $(VENV)/.installed-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/snakefmt Snakefile rules

schema: $(VENV)/.installed
	@PYTHONPATH=workflow_scripts $(BIN)/python -m scopedepth.config.schema

docs: $(VENV)/.installed-dev
	@$(BIN)/sphinx-build --quiet --fail-on-warning docs site

rulegraph: $(VENV)/.installed
	@$(SNAKEMAKE) --cores 1 --rulegraph dot --forceall | sed -n '/^digraph/,$$p' > docs/images/rules.dot
	@dot -Tsvg docs/images/rules.dot > docs/images/rules.svg
