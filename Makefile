# Everything here needs Python 3.11 or later, make, and nothing else. `make help` lists it.

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
STAMP := .venv/installed
CHART_TOOLS := .venv/chart-tools
PROJECTS := $(wildcard shared/pyproject.toml services/*/pyproject.toml)
LOCAL := PYTHONPATH=deploy $(BIN)/python -m local
PLAY := PYTHONPATH=deploy:. $(BIN)/python -m tests.compose.play
COMPILE := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-header

# Installs and locks must not depend on what else is on the machine.
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install up down reset operate status demo bench test test-helm test-compose model lint format docs publish lock year

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMP) ## the virtual environment .venv, exactly as the locks say

$(STAMP): requirements.lock deploy/local/uv.txt deploy/local/packages.txt deploy/local/kafka.lock.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv …"
	@$(BIN)/python -m pip install -q --require-hashes -r deploy/local/uv.txt
	@$(UV) pip sync -q --compile-bytecode --verify-hashes --python $(BIN)/python requirements.lock deploy/local/packages.txt
	@PYTHONPATH=deploy $(BIN)/python -m local.fetch
	@touch $@

# Apart from the rest, because only tests need it and it is a third of a gigabyte.
$(CHART_TOOLS): $(STAMP) deploy/helm/tools.txt
	@$(UV) pip install -q --compile-bytecode --verify-hashes --require-hashes --python $(BIN)/python -r deploy/helm/tools.txt
	@touch $@

up: install ## start everything; KAFKA=host:port and POSTGRES=url use those instead
	@$(LOCAL) up

down: install ## stop everything, keep the data
	@$(LOCAL) down

reset: install ## stop everything, delete the data
	@$(LOCAL) reset

operate: install ## an operator's command on what is up; DO="invoicing dead-letters list"
	@$(LOCAL) operate $(DO)

status: install ## what runs, and the memory it takes
	@$(LOCAL) status

.PHONY: env compose-stack
env: install ## passwords and keys for `docker compose up`, in .env
	@PYTHONPATH=deploy $(BIN)/python -m local.compose env

compose-stack: install
	@PYTHONPATH=deploy $(BIN)/python -m local.compose stack

demo: install $(if $(STACK),$(STACK)-stack,up) ## play the main job on a sample; DATA=csv plays that file, STACK=compose there
	@PYTHONPATH=deploy:. $(BIN)/python -m examples.demo $(if $(DATA),--data "$(DATA)") \
		$(if $(STACK),--stack .proforma/$(STACK).json)

bench: install ## hot paths beside the least that the database itself needs: bench/README.md; LINES=10000
	@PYTHONPATH=deploy:. $(BIN)/python -m bench.scheduler_day $(if $(LINES),--lines $(LINES))

test: install $(CHART_TOOLS) lint ## everything; BACKEND=docker for containers, PYTEST="-k name" for some tests
	@$(BIN)/pytest -n 3 --dist loadgroup $(PYTEST)
	@deploy/helm/check.sh
	@$(if $(PYTEST),,$(PLAY) --short --if-possible)

test-helm: install $(CHART_TOOLS) ## the Helm chart, alerts and dashboards; with helm and promtool too where they are
	@$(BIN)/pytest -n 0 tests/deploy $(PYTEST)
	@deploy/helm/check.sh

test-compose: install ## the image and docker-compose.yml, while every container is killed and restarted
	@$(PLAY)

model: install ## random work against the books, a hundred times longer than `make test` plays; RUNS=5000
	MODEL_RUNS=$(or $(RUNS),20000) $(BIN)/pytest -n 2 tests/model

year: install ## a simulated year of 300 contracts and 700 lines; a hundred processes killed; SEED=n plays one again
	YEAR=full KILLS=100 $(BIN)/pytest -n 0 tests/year tests/scheduler/test_year.py tests/scheduler/test_kills.py

lint: install ## ruff, mypy, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: install ## let ruff put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: install ## docs/openapi, docs/asyncapi.yaml, docs/events and the table of the chart's values
	@PYTHONPATH=docs $(BIN)/python -m reference
	@$(BIN)/python deploy/helm/values_table.py

publish: docs ## at a release: freeze the schemas of events; refuses what breaks a published one
	@PYTHONPATH=docs $(BIN)/python -m reference publish

lock: install ## resolve all dependencies anew
	$(COMPILE) --upgrade shared/pyproject.toml --group pyproject.toml:local --group pyproject.toml:dev -o requirements.lock
	$(COMPILE) --upgrade --group pyproject.toml:chart -c requirements.lock -o deploy/helm/tools.txt
	$(COMPILE) --all-extras -c requirements.lock shared/pyproject.toml -o deploy/image/runtime.lock
	PYTHONPATH=deploy $(BIN)/python -m local.fetch --lock
