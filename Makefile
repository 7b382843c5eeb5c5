# Everything here needs Python 3.11 or later, make and nothing else. `make help` lists it.

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
STAMP := .venv/installed
PACKAGES := shared services/time-expense services/billing-backlog services/invoicing services/scheduler
PROJECTS := $(PACKAGES:%=%/pyproject.toml)

export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help install

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## the virtual environment .venv, exactly as requirements.lock says

$(STAMP): requirements.lock deploy/local/uv.txt pyproject.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r deploy/local/uv.txt
	$(UV) pip sync -q --require-hashes --python $(BIN)/python requirements.lock
	$(UV) pip install -q --no-deps --python $(BIN)/python $(PACKAGES:%=-e ./%)
	@touch $@
