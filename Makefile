# Every target sets up .venv by itself; a Python of 3.11 to 3.13 and make are all it needs.
# Another Python: make test PYTHON=/path/to/python3.12

VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON :=

.DEFAULT_GOAL := help
.PHONY: help setup test slow lint format demo bench schema api hooks wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with all that development needs

$(STAMP): pyproject.toml constraints.txt tools/setup.sh
	@sh tools/setup.sh "$(VENV)" "$(PYTHON)"
	@touch $@

lint: $(STAMP) ## style, types and import layers
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/lint-imports --no-logo

test: lint ## lint, then every test
	$(RUN)/pytest -n 2 --dist loadfile --max-worker-restart 0

slow: $(STAMP) ## the tests that take minutes
	$(RUN)/pytest -m slow

format: $(STAMP) ## put the code into its one form
	$(RUN)/ruff check --fix
	$(RUN)/ruff format

demo: $(STAMP) ## write a sample clip, anonymise it, say where to look
	@mkdir -p demo
	$(RUN)/python tools/demo_clip.py demo/street.mp4
	$(RUN)/eyelid anonymize demo/street.mp4 --force
	@echo
	@echo "Look at:  demo/street.mp4                the clip as it was"
	@echo "          demo/street.anon.mp4           the clip with faces and licence plates covered"
	@echo "          demo/street.anon.evidence.json what was done, and what is not covered"

bench: $(STAMP) ## measure recall, re-identification and speed (needs EYELID_DATA, see benchmarks/README.md)
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(RUN)/python $$script || exit 1; done

schema: $(STAMP) ## publish the JSON Schemas of evidence, audits and attestation
	$(RUN)/python -m eyelid.evidence.model > docs/schema/evidence.schema.json
	$(RUN)/python -m eyelid.audit.model > docs/schema/audit.schema.json
	@for name in attestation attestation-policy appraisal; do \
		$(RUN)/python -m eyelid.infer.enclave.schema $$name > docs/schema/$$name.schema.json || exit 1; done

api: $(STAMP) ## record the public names and parameters that the tests guard
	$(RUN)/python -m tests.api_surface

hooks: $(STAMP) ## run the checks before each commit
	$(RUN)/pre-commit install

wheel: $(STAMP) ## build the wheel into dist/
	$(RUN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
