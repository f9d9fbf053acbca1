# Thin: makes the virtual environment and calls `edgewright`, which does the work.
DEPLOYMENT ?= contoso
FOLDER     := inventory/$(DEPLOYMENT)
BIN        := .venv/bin
PYTEST     := $(BIN)/python -m pytest
SHELL      := /bin/bash
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help venv up test unit sip down doctor env lint molecule bench ci

help: ## This list
	@echo 'make <target> [DEPLOYMENT=contoso|minimal]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv:
	@tools/bootstrap

up: venv ## Get what is missing, provision the lab, configure it, prove it, write the evidence
	@$(BIN)/edgewright up $(FOLDER)

test: venv ## Every test, including the acceptance tests against the lab
	@$(PYTEST) tests/unit services
	@$(PYTEST) tests/sip
	@$(PYTEST) tests/lab
	@$(PYTEST) tests/acceptance

unit: venv ## Only the tests that need no lab
	@$(PYTEST) tests/unit services

sip: venv ## Routing of SIP, each role by itself in a container, without the lab
	@$(PYTEST) tests/sip

down: venv ## Remove all that `make up` made, and nothing else
	@$(BIN)/edgewright down $(FOLDER)

doctor: venv ## What is missing on this machine, and which pulumi is in use
	@$(BIN)/edgewright doctor

env: venv ## Print the environment for a bare pulumi, ansible-playbook or pytest, to be evaluated
	@$(BIN)/edgewright env $(FOLDER)

lint: venv ## Every linter, types and the layers
	@tools/lint

molecule: venv ## Every kind of host on a tiny deployment of its own
	@molecule test --all

bench: venv ## The figures that must not grow
	@$(BIN)/python -m tests.bench

ci: ## What CI runs
	@.ci/run
