# From a bare checkout on a bare machine: each target first makes .venv and installs what is missing (tools/bootstrap.sh):
# `make demo` and `make build` what the package needs, all others what the tests need, too.
.DEFAULT_GOAL := help
.PHONY: help setup setup-demo build demo test test-full check format bench lock image wheel clean
SHELL := /bin/bash
bin := .venv/bin
pytest := $(bin)/python -m pytest --dist loadgroup --no-loadscope-reorder
computing := -n auto --maxprocesses 4
# More workers than processors of a small machine: most of these tests wait for packets, and use a third of a processor.
waiting := -n 4
# On a machine that others use a packet may be late: what fails is tried once more, and counted as such; what hangs is not.
again := -rfExXR --reruns 1 --rerun-except "from pytest-timeout"

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## .venv, system packages (as root), the compiled parts
	@tools/bootstrap.sh test

setup-demo:
	@tools/bootstrap.sh demo

build: setup-demo ## the BPF objects and the pump, when their sources changed (setup does it too)
	@:

demo: setup-demo ## a container, a bad network, and what the application sees
	@$(bin)/netweather demo

test: setup ## every level: unit, native, contract, kernel, e2e, meta
	@$(pytest) $(waiting) $(again) $(ARGS)

test-full: setup ## the same with the long fault injections
	@$(pytest) $(waiting) --full $(ARGS)

check: setup ## style, types, layers, unit and native tests: for every commit; needs no root
	@$(bin)/ruff check
	@$(bin)/ruff format --check
	@$(bin)/mypy
	@$(bin)/lint-imports | sed -n '/^Contracts$$/,$$p'; exit $${PIPESTATUS[0]}
	@$(pytest) $(computing) -q tests/unit tests/native tests/meta $(ARGS)

format: setup ## what `make check` would ask for, as far as it is mechanical
	@$(bin)/ruff check --fix --exit-zero -q
	@$(bin)/ruff format

bench: setup ## cost and accuracy beside the baselines, as a table and JSON
	@$(bin)/python -m tools.bench $(ARGS)

lock: setup ## renew requirements.lock from pyproject.toml
	@$(bin)/python -m tools.lock

image: setup ## dist/image.tar, a container image without a registry; ARGS="--tag netweather:dev" imports it
	@$(bin)/python -m tools.image $(ARGS)

wheel: setup ## dist/*.whl for this machine, or for NETWEATHER_ARCH
	@$(bin)/python -m pip --disable-pip-version-check wheel -q --no-deps --no-build-isolation -w dist .

clean: ## what the targets above made, except .venv
	@rm -rf dist src/netweather/_built .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
