# `make` or `make help` shows what there is. Everything happens in .venv and outputs/.

PRESET ?= mini
PYTHON ?= python3
CORES ?= all
OUTPUT_ROOT ?=
TORCH_INDEX ?=
BASE ?=
MODELS ?=
WORKERS ?= 2
LAB_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
RUNS ?= $(patsubst %/05_weval_correlation/weval.csv,%,$(sort \
  $(wildcard outputs/reference/*/05_weval_correlation/weval.csv)))
BOARD ?= outputs/reference/board.html
# This tree's own, whatever is installed, and without a start-up script between make and it.
WFINE := $(BIN)/python -m wfine_workflow.command
PRESETS := $(patsubst params/%/,%,$(sort $(wildcard params/*/)))

.DEFAULT_GOAL := help
.PHONY: help env reproduce look lab course slides test test-fast lint style docs site board bench reference lock strip clean distclean

# A recipe that fails must not leave its target behind as if it were done.
.DELETE_ON_ERROR:

help:  ## show this text
	@echo "wfine: fine-grained reward modelling for writing, in numbered notebooks"
	@echo
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## */\1|/' | \
	  while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done
	@echo
	@echo "Options (make reproduce PRESET=smoke CORES=2):"
	@echo "  PRESET       parameter set, a folder in params/    here: $(PRESETS)"
	@echo "  CORES        CPU cores to use                      default: all"
	@echo "  OUTPUT_ROOT  write results elsewhere               default: outputs"
	@echo "  PYTHON       Python 3.11 to 3.14 for .venv         default: python3"
	@echo "  WORKERS      tests at a time                       default: 2"
	@echo "  RUNS, BOARD  folders with results, and the page   default: those in outputs/reference"
	@echo "  LAB_ARGS     more for JupyterLab, such as          LAB_ARGS='--allow-root --no-browser'"
	@echo "  TORCH_INDEX  another package index for PyTorch. On Linux the default wheel brings CUDA"
	@echo "               (several GB); without a GPU the smaller wheel does as well:"
	@echo "               make reproduce TORCH_INDEX=https://download.pytorch.org/whl/cpu"

$(READY): pyproject.toml constraints.txt
	@test -d "params/$(PRESET)" || { \
	  echo "PRESET: found '$(PRESET)', expected one of $(PRESETS)."; exit 2; } >&2
	@echo "$(CORES)" | grep -qE "^(all|[1-9][0-9]*)$$" || { \
	  echo "CORES: found '$(CORES)', expected a number of CPU cores, 1 or more, or all."; exit 2; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version 2>&1 || true); expected Python 3.11 to 3.14."; \
	  echo "Install one and name it: make $(or $(MAKECMDGOALS),help) PYTHON=python3.12"; exit 1; } >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "$(VENV) could not be made with $(PYTHON) -m venv." >&2; \
	  echo "On Debian and Ubuntu the module is a package of its own: apt install python3-venv" >&2; \
	  rm -rf $(VENV); exit 1; }
	@echo "Installing into $(VENV), once; this takes some minutes ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INDEX) -c constraints.txt -e '.[train,judges,workflow,test]'
	@touch $@

env: $(READY)  ## create or update .venv (the other commands do it when needed)

reproduce: $(READY)  ## run a preset, print its headline numbers and the path of the report
	@exec $(WFINE) reproduce '$(PRESET)' --cores '$(CORES)' $(if $(OUTPUT_ROOT),--output-root '$(OUTPUT_ROOT)') --caller $$PPID

# One thread for each worker: two of one test would wait for each other more than they help.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test: $(READY)  ## run every test, WORKERS files at a time
	@$(PYTEST)

test-fast: $(READY)  ## run the tests that take no more than a few seconds each
	@$(PYTEST) -m 'not slow'

lint: $(READY)  ## check style, formatting, the order of imports, and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache && $(BIN)/mypy

style: $(READY)  ## mend what ruff can mend
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: $(READY)  ## write the numbers of README.md and docs/ from outputs/reference
	@$(WFINE) docs

$(VENV)/.site: $(READY)
	@echo "Installing Sphinx into $(VENV), once ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[site]'
	@touch $@

site: $(VENV)/.site  ## build the website from README, docs, notebooks and course: outputs/site
	@$(WFINE) site --out '$(or $(OUTPUT_ROOT),outputs)/site'

look: $(READY)  ## see a finished small world, without any training: numbers, a chain, the report
	@$(WFINE) look '$(PRESET)' --output-root '$(or $(OUTPUT_ROOT),outputs)'

lab: $(READY)  ## open copies of the notebooks in JupyterLab: lab/, yours to change
	@for notebook in notebooks/*.ipynb $(wildcard course/*/exercise.ipynb); do \
	  copy=lab/$${notebook#*/}; mkdir -p $${copy%/*}; \
	  if [ ! -e $$copy ]; then cp $$notebook $$copy; \
	  elif [ $$notebook -nt $$copy ]; then \
	    echo "$$copy is older than $$notebook; delete or rename it to get the new one."; fi; done
	@JUPYTER_CONFIG_PATH=.jupyter $(BIN)/jupyter lab --ServerApp.root_dir=. \
	  --LabApp.default_url=/lab/tree/lab/start.ipynb $(LAB_ARGS)

course: $(READY)  ## make the exercise, solution and instructor notebooks of course/ from their sources
	@$(WFINE) course

slides: $(READY)  ## run the slides of every lecture and write them as pages to outputs/course
	@$(WFINE) slides $(wildcard course/*/slides.ipynb)

bench: $(READY)  ## time WEval and scoring; with BASE=<commit> a whole preset against that commit
	@if [ -n '$(BASE)' ]; then \
	  exec $(BIN)/python bench/compare.py '$(BASE)' '$(or $(OUTPUT_ROOT),outputs)/bench' \
	    --preset '$(PRESET)' --cores $(if $(filter all,$(CORES)),2,$(CORES)); fi; \
	for script in bench/bench_*.py; do $(BIN)/python "$$script" || exit 1; done

reference: $(READY)  ## keep the small files of a finished run in outputs/reference; with MODELS=yes its models
	@$(WFINE) keep-reference '$(PRESET)' --output-root '$(or $(OUTPUT_ROOT),outputs)' \
	  $(if $(MODELS),--models)

board: $(READY)  ## one page of what WEval said of every scorer in RUNS, by default the kept runs
	@$(WFINE) board $(RUNS) --out '$(BOARD)'

lock: $(READY)  ## resolve all dependencies anew and rewrite constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INDEX) --dry-run \
	  --ignore-installed --report $(VENV)/resolved.json -e '.[train,judges,workflow,test]'
	@{ echo "# Every package that the pins in pyproject.toml bring with them, resolved by \`make lock\`."; \
	  $(BIN)/python -c 'import json; items = json.load(open("$(VENV)/resolved.json"))["install"]; \
	  pins = ["{name}=={version}".format(**p["metadata"]).split("+")[0] for p in items]; \
	  print(*sorted((p for p in pins if not p.startswith("wfine=")), key=str.lower), sep="\n")'; \
	} > constraints.tmp && mv constraints.tmp constraints.txt

strip: $(READY)  ## take outputs and execution counts out of notebooks/ and course/
	@$(BIN)/nbstripout --keep-id notebooks/*.ipynb $(wildcard course/*/*.ipynb)

clean:  ## delete all results except outputs/reference
	@if [ -d outputs ]; then find outputs -mindepth 1 -maxdepth 1 ! -name reference -exec rm -rf {} +; fi
	@rm -rf .snakemake

distclean: clean  ## also delete .venv and caches
	@rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
