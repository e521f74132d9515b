# `make demo` and `make test` make the environment themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv demo test slow lint bench clean

venv: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

demo: venv
	$(BIN)/crosstask demo

test: venv
	$(BIN)/python -m pytest -n 2

slow: venv
	$(BIN)/python -m pytest -n 2 -m slow

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: venv
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv
