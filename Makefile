# make setup | test | demo [SCAN=path] | lint        Everything is installed into .venv; only Python >= 3.11 is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: setup test demo lint

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: call make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[training,test]"
	@touch $@

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

test: lint
	$(BIN)/python -m pytest

# A spine that the project makes itself, or SCAN=path: worker -> MRML scene -> .mrb, .seg.nrrd, CSV, pictures.
demo: setup
	$(BIN)/python Testing/demo/demo.py $(if $(SCAN),"$(SCAN)") -o demo-output
