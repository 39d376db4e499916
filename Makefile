# Everything that Eddy's developers run. `make help` lists it.

EDDY_CACHE ?= $(HOME)/.cache/eddy
CARGO_TARGET_DIR ?= $(EDDY_CACHE)/target
export EDDY_CACHE CARGO_TARGET_DIR

SERVICES := tests/services
DEVELOPER := $(EDDY_CACHE)/services/dev
# One set of features for tests and lints, so that no dependency is compiled a third time.
FEATURES := --workspace --features fault-points
# `make test T=name` runs the tests whose name contains it, `make bench T=name` that benchmark.
T ?=
BUILD_TESTS = cargo test --locked $(FEATURES) --no-run
RUN_TESTS = cargo test --locked $(FEATURES) --no-fail-fast -- $(T)

.DEFAULT_GOAL := help
.PHONY: help run check test oracle oracle-record soak fuzz bench services services-stop

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start everything in one process, with sample data
	cargo run --locked -- dev

check: ## Formatting, lints, documentation, house rules
	.ci/house
	cargo fmt --all --check
	cargo clippy --locked $(FEATURES) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked $(FEATURES) --no-deps

test: ## All tests, with Kafka and S3 started for them (T=name: some of them)
	$(SERVICES)/install >/dev/null
	$(BUILD_TESTS)
	$(SERVICES)/with-services $(RUN_TESTS)

oracle: ## Kafka Connect's 825 REST cases against a worker of ours, and what differs
	$(SERVICES)/install >/dev/null
	cargo build --locked $(FEATURES)
	$(SERVICES)/with-services tests/oracle/oracle eddy $(CARGO_TARGET_DIR)/debug/eddy

oracle-record: ## The same cases recorded anew from a real worker of Kafka Connect
	$(SERVICES)/with-services tests/oracle/oracle connect

soak: ## The same tests with more kills, cases and seeds
	$(SERVICES)/install >/dev/null
	$(BUILD_TESTS)
	EDDY_SOAK=1 $(SERVICES)/with-services $(RUN_TESTS)

# Seconds of fuzzing.
S ?= 600
fuzz: ## Any bytes through the JSON walk for ten minutes (S=seconds); needs a nightly Rust
	@command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked --version 0.13.1
	mkdir -p $(EDDY_CACHE)/fuzz/corpus
	cd engine && CARGO_TARGET_DIR=$(EDDY_CACHE)/fuzz/target \
		cargo +nightly fuzz run --sanitizer none json_walk $(EDDY_CACHE)/fuzz/corpus -- \
		-max_total_time=$(S) -dict=fuzz/json.dict -max_len=4096

# The engine's benches measure themselves, so they are release builds. Of the others only the worker
# is measured, and only it is one; the drivers are built as tests are.
ENGINE_BENCHES := engine commits memory size compact
OTHER_BENCHES := sink restart freshness collect needle hostile jsonbench latest audit replay
# What an engine's bench is started with: those on S3 need the server.
START_compact = $(SERVICES)/with-services
BENCH = cargo bench --locked --profile dev $(FEATURES) $(foreach name,$(others),--bench $(name))
engines = $(filter $(or $(T),$(ENGINE_BENCHES)),$(ENGINE_BENCHES))
others = $(filter $(or $(T),$(OTHER_BENCHES)),$(OTHER_BENCHES))

bench: ## Engine, commits, memory, size, compact; sink, restart, freshness, collect, needle, hostile, replay of a process; jsonbench, latest, audit beside DuckDB (T=name: one)
	$(if $(engines)$(others),,$(error there is no benchmark called '$(T)'))
	$(foreach name,$(engines),$(START_$(name)) cargo bench --locked --package eddy-engine --bench $(name) &&) true
ifneq ($(others),)
	$(SERVICES)/install >/dev/null
	cargo build --locked --release
	$(if $(filter jsonbench,$(others)),cargo build --locked --release --package eddy-query --example listing)
	$(if $(filter replay,$(others)),cargo build --locked --release --package eddy-connector --example producing)
	$(BENCH) --no-run
	EDDY_BIN=$(CARGO_TARGET_DIR)/release/eddy EDDY_LISTING=$(CARGO_TARGET_DIR)/release/examples/listing \
		EDDY_PRODUCING=$(CARGO_TARGET_DIR)/release/examples/producing \
		$(SERVICES)/with-services $(BENCH)
endif

services: ## Start Kafka and S3 for development and leave them running
	@$(SERVICES)/develop start

services-stop: ## Stop what `make services` started
	@$(SERVICES)/develop stop
