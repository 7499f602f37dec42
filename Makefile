# Everything is installed into .venv; nothing else is needed but Python and make.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/installed

.PHONY: help demo test test-long lint bench clean

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

demo: $(INSTALLED)  ## lower AlexNet to a 64 x 64 x 64 engine and look at the result
	$(RUN) examples/demo.py

lint: $(INSTALLED)  ## style and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

test: lint  ## lint, types and all tests
	$(RUN) -m pytest

test-long: lint  ## the same with many more random cases
	HYPOTHESIS_PROFILE=long $(RUN) -m pytest

bench: $(INSTALLED)  ## all benchmarks; the results go to benchmarks/results.md
	$(RUN) benchmarks/all.py

clean:  ## remove what was made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
