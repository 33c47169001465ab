# `make demo` and `make test` set everything up on a machine that has Python 3.11 or newer.
# `make quick` runs the tests of what was changed only.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WEB := tools/web

.PHONY: demo studio test quick lint lint-web bench docs clean

demo: $(VENV)/.demo
	$(BIN)/camerapipe demo -o demo-output --overwrite

studio: $(VENV)/.demo,web
	$(BIN)/camerapipe serve --demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

quick: $(VENV)/.test
	$(BIN)/python tools/quick.py -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory lint-web; \
	else echo "lint: node is absent: the JavaScript of the pages was not checked"; fi

lint-web: $(WEB)/node_modules/.stamp
	npm --prefix $(WEB) run --silent check

bench: $(VENV)/.dev
	$(BIN)/python tools/bench.py e2e

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	@echo "docs: open build/docs/index.html"

# One stamp for each extra: installed again only when pyproject.toml has changed.
$(VENV)/.%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	touch $@

$(WEB)/node_modules/.stamp: $(WEB)/package.json $(WEB)/package-lock.json
	npm --prefix $(WEB) ci --silent --no-audit --no-fund
	touch $@

clean:
	rm -rf $(VENV) demo-output $(WEB)/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
