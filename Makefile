# `make demo` and `make test` make the environment themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: venv browser demo test slow lint bench clean docs

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

demo: venv
	$(BIN)/crosstask demo

test: venv browser
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

docs: venv
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
