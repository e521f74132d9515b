# `make demo` and `make test` make the environment themselves.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help venv browser demo test slow coverage lint bench docs package clean

help: ## what there is to make
	@grep -E "^[a-z]+:.*##" $(MAKEFILE_LIST) | sed -E "s/:.*## /\t/"

venv: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

# The report is tested in a real browser where there is one or it can be installed; else those tests say why they skip.
browser:
	@if ! command -v chromedriver >/dev/null && command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -q && apt-get install -q -y --no-install-recommends chromium chromium-driver \
		|| echo "no chromium: the report is not tested in a browser"; \
	fi

demo: venv ## three trainings on made-up rooms, a page and pictures
	$(BIN)/crosstask demo

test: venv browser ## the tests, and why some are skipped
	$(BIN)/python -m pytest -n 2 -rs

slow: venv ## the slow tests
	$(BIN)/python -m pytest -n 2 -m slow

lint: venv ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: venv ## the benchmarks
	$(BIN)/python -m benchmarks

docs: venv ## the site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

coverage: venv ## the tests with a figure of what they reach
	$(BIN)/python -m pytest -n 2 --cov=crosstask --cov-report=term

package: venv ## wheel and sdist, checked
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

clean: ## remove the environment
	rm -rf .venv
