# What people and machines run here. Everything works in an empty clone; tests start their own PostgreSQL.
#
#   make run                  the demo on SQLite: prints its login and the links of a round trip; builds the dashboard
#                             first where Node is
#   make run PROFILE=release  the same, optimised (a release build takes several minutes on a small machine)
#   make test TEST=pixel      only the tests whose name contains `pixel`
#   make clients              what tests/clients needs (Node, Python): `make test` does it by itself
#   make torture              kills, power cuts, broken databases and disks: about an hour; SECONDS=60 bounds each kind,
#                             WHAT="kills power postgres disk", RUNS, SEED
#   make bench                how fast it is against nginx, pgbench and sqlite3, under five minutes; LONG=1 takes longer
#   make bench GROWN=1        the same on full tables, memory over time, overload: takes 40 GiB of disk
#   make bench PAGES=1        pages of the admin API on full tables, and bombs; REPORTS=1: reports

CARGO ?= cargo
# `dev` or `release`.
PROFILE ?= dev
TEST ?=
# What the browser tests drive.
CHROMIUM ?= /usr/bin/chromium
# Anything: longer runs of `make bench`.
LONG ?=
# Of `make torture`.
WHAT ?= all
RUNS ?= 200
SECONDS ?= 3600
SEED ?=
# Anything: `make bench` on full tables.
GROWN ?=
# Anything: pages of the admin API.
PAGES ?=
# Anything: `make bench` of reports on large tables.
REPORTS ?=
# Settings of PostgreSQL where its tables are large: what docs/operating.md advises for the 24 GiB of our machine.
POSTGRES ?= shared_buffers=4GB max_wal_size=8GB

.PHONY: help run dashboard screenshots clients test torture bench lint fmt schema openapi audit ci

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | head -11
	@printf 'targets: run dashboard screenshots clients test torture bench lint fmt schema openapi audit ci\n'

# Node 20.19 or newer, or nothing: without it the server is built all the same, and /dashboard says how to get one.
NODE := $(shell node --eval 'const [a, b] = process.versions.node.split("."); if (a > 20 || (a == 20 && b >= 19)) console.log("node")' 2>/dev/null)

run: $(if $(NODE),dashboard/dist/index.html)
	$(CARGO) run --locked --profile $(PROFILE) -- demo

# Types against schema.graphql, lints, the build, and what a first visit weighs. The server has to be built after it.
dashboard: dashboard/node_modules/.package-lock.json
	$(if $(NODE),,$(error The dashboard needs Node 20.19 or newer))
	cd dashboard && npm run --silent check && npm run --silent build

dashboard/node_modules/.package-lock.json: dashboard/package-lock.json
	cd dashboard && npm ci --no-audit --no-fund

dashboard/dist/index.html: schema.graphql dashboard/package-lock.json $(shell find dashboard/src dashboard/public dashboard/index.html -type f -not -path '*/gql/*')
	$(MAKE) dashboard

# The pictures of the README, from a demo with some traffic.
screenshots: dashboard/dist/index.html
	$(CARGO) build --locked
	cd dashboard && node tests/shots.mjs --docs

# One process for all tests of tests/it, so that they share one PostgreSQL cluster (which is why this is not nextest).
# The browser tests drive the binary that cargo has built for them; without Node or Chromium they say that they did not run.
test: clients $(if $(NODE),dashboard/dist/index.html)
	@result=0; \
	$(CARGO) test --locked --workspace --no-fail-fast -- $(TEST) || result=$$?; \
	$(if $(NODE),$(if $(wildcard $(CHROMIUM)),(cd dashboard && CHROMIUM=$(CHROMIUM) TEST='$(TEST)' npm test --silent) || result=$$?;,\
	echo 'THE BROWSER TESTS DID NOT RUN: apt-get install chromium';),echo 'THE BROWSER TESTS DID NOT RUN: they need Node 20.19 or newer';) \
	exit $$result

# Clients that other people wrote. What is there already is left alone.
clients: tests/clients/node_modules/.package-lock.json target/schemathesis/.installed

tests/clients/node_modules/.package-lock.json: tests/clients/package-lock.json tests/clients/package.json
	@command -v npm >/dev/null || { echo 'Node 20 or newer and npm are missing: apt-get install nodejs npm' >&2; exit 1; }
	cd tests/clients && npm ci --no-progress
	@touch $@

target/schemathesis/.installed: tests/clients/requirements.txt
	@python3 -c 'import venv, ensurepip' || { echo 'Python is missing: apt-get install python3-venv' >&2; exit 1; }
	python3 -m venv --clear target/schemathesis
	target/schemathesis/bin/pip install --quiet --disable-pip-version-check --requirement tests/clients/requirements.txt
	@touch $@

# It ends with an error when anything that was answered is lost, or when a control did not fail.
torture:
	$(CARGO) test --locked $(if $(filter release,$(PROFILE)),--release) --test torture -- $(WHAT) \
		--runs $(RUNS) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))
	$(CARGO) test --locked --test it -- outbound_shared --ignored --nocapture --test-threads 1

# The figures go into benches/RESULTS.md. 2 000 connections need more open files than many shells allow.
bench: export ROUNDTRIP_TEST_POSTGRES = $(if $(GROWN)$(PAGES)$(REPORTS),$(POSTGRES))
bench:
	ulimit -n $$(ulimit -Hn) && $(CARGO) bench --locked --bench bench -- --write $(if $(REPORTS),--reports,$(if $(GROWN),--grown,$(if $(PAGES),--pages,$(if $(LONG),--long))))

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --test torture -- -D warnings

fmt:
	$(CARGO) fmt --all

# After a change of the admin API: the file at the root is compared with the code by a test.
schema:
	$(CARGO) run --quiet --locked -- schema > schema.graphql.new
	mv schema.graphql.new schema.graphql

openapi:
	@$(CARGO) run --quiet --locked -- openapi

# Bans, licences and sources need no network; advisories need theirs, which is not everywhere: not part of .ci/run.
audit:
	@command -v cargo-deny >/dev/null || { echo 'cargo-deny is missing: cargo install --locked cargo-deny' >&2; exit 1; }
	$(CARGO) deny check bans licenses sources
	$(CARGO) deny check advisories

ci:
	.ci/run
