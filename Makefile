# make demo [SCAN=path]   segments the sample scan, or one of yours          installs what `make setup` does
# make test               format, lint and all tests                         installs what `make develop` does
# make lint               format and lint                                    installs what `make develop` does
# make setup              the command line `spine-segment`: no torch, about 0.6 GB
# make develop            all of it: training, cluster, Slicer's core, tests
# make wheel              dist/*.whl for other computers, with the models
#
# Everything is installed into .venv; only Python >= 3.11 is needed. Both installations share that folder.
#
# On Linux, the torch of PyPI brings 3 GB of CUDA, so `make develop` and `make test` take the build for the CPU from
# PyTorch's own index (5 seconds are given to reach it), and PyPI's only if that cannot be reached. On macOS and Windows
# PyPI's is the one without CUDA. `make test TORCH=cuda` takes PyPI's. A torch that is installed is kept: to change it,
# remove .venv first.
PYTHON ?= python3
TORCH ?= cpu
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

VENV := .venv
BIN := $(VENV)/bin
# setuptools warns of every editable installation.
PIP := PYTHONWARNINGS="ignore:Editable installation" $(BIN)/python -m pip --quiet --disable-pip-version-check
RUNTIME := $(VENV)/.runtime-installed
ALL := $(VENV)/.all-installed

.PHONY: setup develop test lint demo wheel

setup: $(RUNTIME)

develop: $(ALL)

demo: $(RUNTIME)
	$(BIN)/python Testing/demo/demo.py $(if $(SCAN),"$(SCAN)") -o demo-output

lint: $(ALL)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# A file of tests stays in one process, which shares what the file sets up; more than four would want too much memory.
# Where a process crashes, the others come to their end: with another in its place, pytest-xdist would wait for ever.
test: lint
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --max-worker-restart 0

# setuptools would take what an earlier version has left in build/ along.
wheel: | $(BIN)/pip
	rm -rf build
	$(PIP) wheel --no-deps --wheel-dir dist .

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: call make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Python compiles what is imported: to compile all of it now would take as long as the rest of the installation.
$(RUNTIME): pyproject.toml | $(BIN)/pip
	$(PIP) install --no-compile --editable ".[plot]"
	@touch $@

$(ALL): pyproject.toml | $(BIN)/pip
	$(PIP) install --upgrade pip
	@if [ "$(TORCH)" = cpu ] && [ "$$(uname -s)" = Linux ]; then \
		$(BIN)/python -c 'import urllib.request as r; r.urlopen("$(TORCH_CPU_INDEX)/torch/", timeout=5)' 2>/dev/null && \
		$(PIP) install --index-url $(TORCH_CPU_INDEX) torch torchvision || \
		echo "PyTorch's index for CPUs cannot be used: taking the torch of PyPI, with CUDA."; \
	fi
	$(PIP) install --editable ".[plot,gpu,training,cluster,scene]" --group test
	@touch $(RUNTIME) $@
