# make run REPO=/path/to/a/clone   index it and show what its last commit reaches
# make test                        lint, types, and every test on every server that is here

REPO ?= $(CURDIR)
ASK ?= HEAD
PYTHON ?=
export PYTHON

.PHONY: help run test schema picture clean

help:
	@sed -n '1,2s/^# //p' Makefile

run:
	@scripts/setup run
	@.venv/bin/maestro tour "$(REPO)"

test:
	@scripts/setup dev
	@scripts/check

# What is generated and committed: the GraphQL schema, the documents, the README's picture.
schema:
	@scripts/setup run
	@.venv/bin/python -m api.documentation

picture:
	@scripts/setup run
	@.venv/bin/python -m scripts.picture "$(REPO)" "$(ASK)"

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis
