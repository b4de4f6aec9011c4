# What can be done here; `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Cargo.lock is what was tested; nothing resolves anew behind one's back.
CARGO := cargo
LOCKED := --locked
SETUP := bash tests/setup/install.sh
TARGET = $${CARGO_TARGET_DIR:-$(CURDIR)/target}
BINARY = $(TARGET)/$(PROFILE)/doorward
PROFILE := debug
PYTHON = source tests/setup/paths.sh && PYTHONDONTWRITEBYTECODE=1 DOORWARD_BIN="$(BINARY)" "$$DOORWARD_VENV/bin/python"

.PHONY: help demo install release test check fuzz bench bench-decision bench-rivals bench-sidecar soak install-deps format lint deny doc architecture test-rust test-e2e test-attacks build

help: ## List all of this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## See doorward at work: a small API, a user, and the curl lines to try
	@$(SETUP) build
	@$(CARGO) build $(LOCKED)
	@exec "$(BINARY)" demo

install: ## Build the release and put `doorward` into cargo's bin directory
	@$(SETUP) build
	@$(CARGO) install $(LOCKED) --path . --bin doorward

release: ## Build the release for what it does most, a sixth faster: built twice, with a load between; some 20 minutes
	@$(SETUP) release
	@bash deploy/release.sh

test: install-deps format lint deny doc test-rust test-e2e test-attacks ## All checks and tests; installs what they lack

check: ## Formatting, lints, licences and bans, documentation, floors; a minute of fuzzing for every reader
	@$(SETUP) check
	@$(MAKE) --no-print-directory format lint deny doc architecture fuzz

fuzz: ## Fuzz every reader for FUZZ_SECONDS (60), and show that the properties find planted bugs
	@$(SETUP) fuzz
	@bash tests/fuzz/run.sh $${FUZZ_SECONDS:-60}

bench: ## Measure the verifier and the decision
	@$(SETUP) build
	$(CARGO) bench $(LOCKED) --bench '*'

bench-rivals: release ## Measure what `make release` builds beside bare Pingora, nginx, HAProxy, Envoy and FastAPI; BENCH="--help" tells what can be chosen
	@$(SETUP) bench-rivals
	$(CARGO) build $(LOCKED) --profile stock --example stock
	$(PYTHON) benches/rivals --doorward "$(TARGET)/profiled/doorward" --floor "$(TARGET)/profiled/floor" --stock "$(TARGET)/stock/examples/stock" --envoy "$$DOORWARD_ENVOY/bin/envoy" $(BENCH)

bench-sidecar: release ## Of what `make release` builds: memory for what it holds, latency while it is abused; BENCH="--marks 1000000" and the like choose
	@$(SETUP) test
	$(CARGO) build $(LOCKED) --release --example paced
	$(PYTHON) benches/sidecar --doorward "$(TARGET)/profiled/doorward" --paced "$(TARGET)/release/examples/paced" $(BENCH)

bench-decision: ## Count the instructions of a decision as routes and marks become many, and time it on two threads
	@$(SETUP) bench-decision
	$(CARGO) build $(LOCKED) --release --example decision
	python3 benches/decision --program "$(TARGET)/release/examples/decision"

soak: PROFILE := release
soak: ## Of the release build: load for SOAK_SECONDS (300), 1 GiB bodies, 10,000 WebSockets, 2,000 slow clients; kills, cuts and power cuts by the hundred, 1,000 revocations, a million marks and sessions, what they cost; MODEL_SEEDS (200000) runs of the model; an hour of fuzzing a reader
	@$(SETUP) test
	$(CARGO) build $(LOCKED) --release --bins
	$(PYTHON) -m pytest tests/e2e/soak.py -s -p no:cacheprovider
	SOAK=1 $(CARGO) test $(LOCKED) --test timing -- --nocapture
	SOAK=1 $(CARGO) test $(LOCKED) --test stores a_cut_while_many -- --nocapture
	MODEL_SEEDS=$${MODEL_SEEDS:-200000} $(CARGO) test $(LOCKED) --release --test model -- --nocapture
	export SOAK=1; $(PYTHON) -m pytest tests/e2e/test_abuse.py tests/e2e/test_issuer_flood.py tests/e2e/test_kills.py tests/e2e/test_login_storm.py tests/e2e/test_million.py tests/e2e/test_propagation.py tests/e2e/test_streaming.py tests/e2e/test_websocket.py -s -p no:cacheprovider
	$(PYTHON) -m pytest tests/e2e/capacity.py -s -p no:cacheprovider
	FUZZ_SECONDS=$${FUZZ_SECONDS:-3600} $(MAKE) --no-print-directory fuzz
	$(MAKE) --no-print-directory release

install-deps: ## Install what building and testing need, where it is missing
	@$(SETUP) test
	@$(SETUP) check

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy $(LOCKED) --all-targets -- -D warnings

deny:
	source tests/setup/paths.sh && PATH="$$DOORWARD_TOOLS/bin:$$PATH" \
	  $(CARGO) deny $(LOCKED) --config .config/deny.toml check bans licenses sources

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(LOCKED) --no-deps

architecture:
	$(CARGO) test $(LOCKED) --test architecture

test-rust:
	$(CARGO) test $(LOCKED)

# With a short form of the soak.
test-e2e: build
	export SOAK_SECONDS=5; $(PYTHON) -m pytest tests/e2e/soak.py -p no:cacheprovider
	$(PYTHON) -m pytest tests/e2e -p no:cacheprovider

# What attackers send, byte for byte; tests/attacks/README.md tells of it.
test-attacks: build
	$(PYTHON) -m pytest tests/attacks -p no:cacheprovider

# With the tests' dependencies, so that what `cargo test` has built serves here too.
build:
	$(CARGO) build $(LOCKED) --bins --tests --example paced --example floor
