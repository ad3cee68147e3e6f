# make demo, make test: each sets itself up on a fresh machine with Python >= 3.10 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What must not be skipped: make test REQUIRE="collector local-model"
REQUIRE ?=
PYTEST_ARGS ?=
SERVICES_ARGS ?=
FUZZ_SECONDS ?= 120
# Files of tests run side by side, one worker a processor and four at most; WORKERS=0 runs one after the other.
WORKERS ?= auto
SIDE_BY_SIDE := -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo services test test-services check lint format test-ollama test-oldest test-together test-apart test-frameworks test-conformance fuzz torture docs screenshots bench audit clean help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/demo-ready ## See it all work on this machine, without a key (KEEP=1 to look around, LIVE=openai,groq,ollama for the real thing)
	@$(BIN)/tokentrail demo

services: $(VENV)/services-ready ## The four services of examples/services with ClickHouse and the Collector: addresses, first questions; Ctrl-C stops all
	@exec $(BIN)/python examples/services/local/start.py $(SERVICES_ARGS)

test: lint ## Everything: style, types, tests with the real Collector, ClickHouse engine and a real small model
	@TOKENTRAIL_REQUIRE="$(REQUIRE)" $(BIN)/python -m tests.support.prepare
	TOKENTRAIL_REQUIRE="$(REQUIRE)" $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(PYTEST_ARGS)

check: lint ## What is quick: style, types, and the tests that start no servers and few programs
	$(BIN)/python -m pytest -q -m "not slow" $(SIDE_BY_SIDE) $(PYTEST_ARGS)

lint: $(VENV)/ready ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/ready ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-ollama: $(VENV)/ready ## The same against a real Ollama, built from its Go module
	@TOKENTRAIL_REQUIRE="ollama" $(BIN)/python -m tests.support.prepare
	TOKENTRAIL_REQUIRE="ollama" $(BIN)/python -m pytest tests/local_model $(PYTEST_ARGS)

test-oldest: $(VENV)/ready ## The oldest version of each SDK that is supported, installed aside and called
	TOKENTRAIL_REQUIRE="oldest-sdks" $(BIN)/python -m pytest tests/instrumentation/test_the_oldest_sdks_count.py $(PYTEST_ARGS)

test-together: $(VENV)/ready ## Together's SDK, which does not take the versions of the rest: installed aside, and called
	TOKENTRAIL_REQUIRE="together" $(BIN)/python -m pytest tests/instrumentation/test_together_counts_aside.py $(PYTEST_ARGS)

APART := .venv-apart
APART_IBM := .venv-apart-ibm
test-apart: $(APART)/ready $(APART_IBM)/ready ## SDKs that are installed in environments of their own: claude-agent-sdk, voyageai, xai-sdk; ibm-watsonx-ai
	$(APART)/bin/python -m pytest tests/providers/test_claude_agents_results_are_counted.py tests/providers/test_voyage_is_counted.py \
		tests/providers/test_xai_over_grpc_is_counted.py tests/providers/test_whatever_other_sdks_are_sent.py tests/conformance/test_voyageai.py \
		tests/conformance/test_xai_sdk.py tests/conformance/test_claude_agent_sdk.py $(PYTEST_ARGS)
	$(APART_IBM)/bin/python -m pytest tests/providers/test_watsonx_is_counted.py tests/providers/test_whatever_other_sdks_are_sent.py \
		tests/conformance/test_watsonx.py $(PYTEST_ARGS)

$(APART)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(APART)
	$(APART)/bin/python -m pip install --quiet --upgrade pip
	$(APART)/bin/python -m pip install --quiet --editable '.[demo]' --group test --group apart $$(grep -E '^(claude-agent-sdk|voyageai|xai-sdk)==' constraints.txt)
	@touch $@

$(APART_IBM)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(APART_IBM)
	grep -E '^ibm-watsonx-ai==' constraints.txt > $(APART_IBM)/pins.txt
	$(APART_IBM)/bin/python -m pip install --quiet --upgrade pip
	$(APART_IBM)/bin/python -m pip install --quiet --editable '.[demo]' --group test --group apart-ibm --requirement $(APART_IBM)/pins.txt
	@touch $@

test-services: $(VENV)/ready ## The four services under six thousand requests, with a service killed and the Collector restarted (some minutes)
	TOKENTRAIL_SCENARIO_REQUESTS=6000 TOKENTRAIL_REQUIRE="collector" $(BIN)/python -m pytest -s --timeout 1200 tests/services $(PYTEST_ARGS)

test-frameworks: $(VENV)/ready ## litellm, frameworks over the SDKs and other instrumentations, each in an environment of its own (the first time some minutes)
	TOKENTRAIL_REQUIRE="frameworks" $(BIN)/python -m pytest tests/frameworks $(PYTEST_ARGS)

test-conformance: $(VENV)/ready ## Every promise of every integration, with every shipped recording, in every style
	TOKENTRAIL_REQUIRE="conformance" $(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/conformance $(PYTEST_ARGS)

fuzz: $(VENV)/ready ## Recorded answers, tampered with for FUZZ_SECONDS (120), guided by the code that has not run yet where atheris installs
	@$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install -q atheris || echo "atheris does not install here: hypothesis goes on without a guide"
	PYTHONPATH=. $(BIN)/python scripts/fuzz_shapes.py $(FUZZ_SECONDS)

torture: $(VENV)/ready ## Experiments that try to break the promise, with real processes, signals and disks (up to an hour; ONLY=kills ROUNDS=100 SEED=7 FIRST=1 EVENTS=1000000 JSON=FILE)
	@exec $(BIN)/python -m torture $(if $(ONLY),--only "$(ONLY)") $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED)) $(if $(FIRST),--first $(FIRST)) $(if $(EVENTS),--events $(EVENTS)) $(if $(JSON),--json "$(JSON)")

docs: $(VENV)/ready ## Write the pages made from the code (settings, data dictionary, queries, command line, recordings, Grafana's files), the answers of docs/analysts.md and the notebooks, and the lines that spell every count
	$(BIN)/python scripts/counts_code.py
	$(BIN)/python scripts/settings_page.py
	$(BIN)/python scripts/dictionary_page.py
	$(BIN)/python scripts/command_line_page.py
	$(BIN)/python scripts/alerts_page.py
	$(BIN)/python scripts/grafana_page.py
	PYTHONPATH=. $(BIN)/python scripts/analysts_page.py
	PYTHONPATH=. $(BIN)/python scripts/notebooks.py
	$(BIN)/python scripts/reduce_recordings.py --again

screenshots: $(VENV)/ready ## Draw the dashboards with Grafana's own components, and write docs/images/grafana-*.png (a minute; Go, Node and Chromium)
	$(BIN)/python -m tests.grafana.look.screenshots

bench: $(VENV)/ready ## Measure what README's figures say, on this machine, in one table (some minutes)
	@$(BIN)/python benchmarks/figures.py

audit: $(VENV)/ready ## Licences of all that is installed against a list, and known vulnerabilities where pip-audit is installed
	@$(BIN)/python scripts/audit.py

clean: ## Remove the environment (the caches of Collector and model stay in the user's cache folder)
	rm -rf $(VENV) $(APART) $(APART_IBM) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# What a demo needs, and nothing else; on top of it what tests, style and types need.
$(VENV)/demo-ready: pyproject.toml constraints.txt
	@$(PYTHON) scripts/environment.py $(VENV) demo

$(VENV)/services-ready: $(VENV)/demo-ready
	@$(PYTHON) scripts/environment.py $(VENV) services

$(VENV)/ready: $(VENV)/demo-ready
	@$(PYTHON) scripts/environment.py $(VENV) test
