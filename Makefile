# Everything is installed into .venv; nothing else is needed but Python and make.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check
RUNS := $(VENV)/installed-alone
INSTALLED := $(VENV)/installed
DOCUMENTED := $(VENV)/installed-docs
# Torch's tests need it and nothing else does. Builds for the CPU are preferred, a tenth of the size of others: they lie
# here, and pip does without the place where it can't be reached.
TORCH := $(VENV)/installed-torch
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
NEIGHBOURS := .venv-interop
LOWEST := .venv-lowest

.PHONY: help demo test test-long test-interop test-lowest test-wheel lint bench docs clean

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(RUNS): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $@

$(INSTALLED): $(RUNS)
	$(PIP) -e '.[test]'
	touch $@

# torch first and alone, so that nothing else is looked for in that place
$(TORCH): $(INSTALLED)
	@if $(PIP) --no-deps --retries 1 --extra-index-url '$(TORCH_INDEX)' 'torch>=2.5,<2.14' && $(PIP) -e '.[test,torch]'; \
	then touch $@; \
	else $(RUN) -m pip uninstall --quiet --yes torch; echo "torch isn't to be had here; its tests are skipped"; fi

demo: $(RUNS)  ## what README.md shows of AlexNet, done; leaves its models in demo/
	$(RUN) examples/demo.py

lint: $(INSTALLED)  ## style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

test: lint $(TORCH)  ## lint, types and all tests
	$(RUN) -m pytest

test-long: lint $(TORCH)  ## the same with many more random cases
	HYPOTHESIS_PROFILE=long $(RUN) -m pytest

test-interop:  ## tools of neighbours: what they make of lowered models, and lower of theirs; in an environment of its own
	$(PYTHON) tests/interop/install.py $(NEIGHBOURS) '$(TORCH_INDEX)'
	$(NEIGHBOURS)/bin/python -m pytest tests/interop -r sx

test-lowest:  ## all commands with the lowest versions of libraries that pyproject.toml allows; for Python 3.10
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(LOWEST) $(LOWEST)/bin/uv pip install --quiet --resolution lowest-direct -e '.[draw,fit,parquet,plots,sweep]'
	VIRTUAL_ENV=$(LOWEST) $(LOWEST)/bin/uv pip install --quiet hypothesis jsonschema 'pandas<3' pytest pytest-xdist
	$(LOWEST)/bin/python -m pytest tests/cli tests/api tests/exploration

test-wheel:  ## the wheel, built and run in a fresh environment of $(PYTHON)
	$(PYTHON) tests/wheel.py build/test-wheel

bench: $(INSTALLED)  ## all benchmarks; the results go to benchmarks/results.md
	$(RUN) benchmarks/all.py

$(DOCUMENTED): $(RUNS)
	$(PIP) -e '.[docs]'
	touch $@

docs: $(DOCUMENTED)  ## the documentation site, in build/site
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

clean:  ## remove what was made
	rm -rf $(VENV) $(NEIGHBOURS) $(LOWEST) demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
