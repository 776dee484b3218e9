# make demo        set everything up (once) and train the main job
# make test        set everything up (once) and run every test but the long ones
# make test-long   the tests that take minutes
# make lab         open JupyterLab on the course's front page
# make notebooks   rebuild the chapters, solutions and labs whose text has changed; all: ARGS=--force
# make site        build the web pages of the course into build/site
# make lint        ruff, import rules, spelling
# make torchrec    TorchRec for the CPU in an environment beside the other, for `pslab bench sharded`
#
# Needs Python 3.11 or newer and make. Another Python: make PYTHON=python3.12 demo
# Options for the demo and the tests: make demo ARGS="--steps 200", make test ARGS="--stage unit"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long lab notebooks site lint torchrec

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup: $(STAMP)

# One environment for all targets, set up again only when what is asked for has changed.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: no program '$(PYTHON)': install Python 3.11 or newer, or say which one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: pslab needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -c 'import platform; print(platform.python_version())'). Try: make PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
	  echo "make: '$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/pslab demo $(ARGS)

test: $(STAMP)
	@$(BIN)/python tests/run_all.py $(ARGS)

test-long: $(STAMP)
	@$(BIN)/python tests/run_all.py --long $(ARGS)

# JupyterLab refuses to run as root unless told, which is what containers do.
lab: $(STAMP)
	@$(BIN)/jupyter lab $$([ "$$(id -u)" = 0 ] && echo --allow-root) --ServerApp.root_dir="$(CURDIR)" $(ARGS) chapters/00_start_here.ipynb

notebooks: $(STAMP)
	@$(BIN)/python -m pslab.notebooks build $(ARGS)

site: $(STAMP)
	@$(BIN)/python docs/site/build.py $(ARGS)

lint: $(STAMP)
	@$(BIN)/python tests/run_all.py --stage lint $(ARGS)

# TorchRec in an environment of its own on top of the other one, which stays as it is. --no-deps: TorchRec asks for the
# build of FBGEMM that needs a GPU; what it needs besides is in the file.
TORCHREC := .venv-torchrec
torchrec: $(TORCHREC)/.installed

$(TORCHREC)/.installed: $(STAMP) requirements/torchrec.txt
	$(BIN)/python -m venv $(TORCHREC)
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > $$($(TORCHREC)/bin/python -c 'import site; print(site.getsitepackages()[0])')/of_the_course.pth
	$(TORCHREC)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/torchrec.txt
	$(TORCHREC)/bin/python -c 'import torchrec, fbgemm_gpu; print("TorchRec", torchrec.__version__, "is ready: $(BIN)/pslab bench sharded")'
	@touch $@
