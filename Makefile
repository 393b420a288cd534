# Needs Python 3.11 to 3.13 with venv, and make. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
VLLM ?= .vllm
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install fit test vllm test-vllm lint format clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(VENV)/.installed ## Put the package and its tools into .venv

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch -c constraints.txt
	$(BIN)/python -m pip install --quiet -e '.[dev]' -c constraints.txt
	@touch $@

fit: install ## Reinforce the tiny model on visual counting: minutes on two cores
	$(BIN)/python -m reasonrft fit --config configs/grpo.yaml

# Two processes with a thread each: with more threads than cores they mostly wait for each other.
# Each takes the next file, in the order of tests/conftest.py: long ones first.
test: install ## Run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

vllm: $(VLLM)/.installed ## Put vLLM's CPU server into .vllm: 2.5 GB, minutes

$(VLLM)/.installed: tests/vllm_server/requirements.txt tests/vllm_server/install.sh
	$(PYTHON) -m venv $(VLLM)
	tests/vllm_server/install.sh $(VLLM)
	@touch $@

test-vllm: install vllm ## Run the tests that start vLLM servers
	OMP_NUM_THREADS=1 VLLM_PYTHON=$(abspath $(VLLM))/bin/python $(BIN)/python -m pytest tests/vllm_server

lint: install ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove .venv, .vllm and caches
	rm -rf $(VENV) $(VLLM) .pytest_cache .mypy_cache .ruff_cache .hypothesis
