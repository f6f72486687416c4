# Every target prepares the virtual environment by itself; python3, make and git are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ARGS ?=
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadscope

.DEFAULT_GOAL := help
.PHONY: help demo demo-clouds test test-live test-fast cluster lint bench docs rendered requirements clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "qsched needs Python 3.11 or newer; set PYTHON=python3.11 (found: $$($(PYTHON) --version))"; exit 1; }
	@echo "preparing $(VENV) (about a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Schedule, run and explain real circuits on a fleet of calibrated twins
	@$(BIN)/python examples/demo.py $(ARGS)

demo-clouds: $(STAMP) ## Run the same jobs on emulators of IBM Quantum, Amazon Braket and Azure Quantum, and compare
	@$(BIN)/python examples/demo_clouds.py

test: $(STAMP) ## Run every test, with coverage; those on Kubernetes build a control plane first, once
	@$(PYTEST) -m "not kubernetes and not live" --cov --cov-report= $(ARGS)
	@$(PYTEST) tests/kubernetes --cov --cov-append --cov-report=term:skip-covered $(ARGS)

test-fast: $(STAMP) ## Run the tests that need no simulator fleet, no killing and no cluster, under 90 s
	@$(PYTEST) -m "not slow and not kubernetes and not live" $(ARGS)

test-live: $(STAMP) ## Run the contract against the real clouds for which there are credentials; may cost money
	@$(BIN)/python -m pytest tests/live $(ARGS)

cluster: $(STAMP) ## Start a control plane with qsched on this machine, until Ctrl-C
	@$(BIN)/python -m tests.kubernetes.rig $(ARGS)

lint: $(STAMP) ## Check style, types and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(STAMP) ## Run the benchmarks and write a report (ARGS=--quick: 3 minutes; ARGS=--resume: go on)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(STAMP) ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

rendered: $(STAMP) ## Render again what is generated: crds/ and deploy/kustomize, from the types and the chart
	@$(BIN)/qsched crds --write crds
	@$(BIN)/python deploy/render.py --helm "$$($(BIN)/python -c 'from tests.kubernetes.rig.build import binaries; print(binaries() / "helm")')"

requirements: ## Pin the dependencies again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --upgrade \
		--extra aer --extra azure --extra bench --extra braket --extra emulators --extra ibm \
		--extra kubernetes --group dev pyproject.toml --output-file requirements.txt

clean: ## Remove the virtual environment and everything that was built
	rm -rf $(VENV) site dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
