# make run     install what the build needs, build, start a broker with embedded SQLite
# make test    install what the tests need (PostgreSQL, MariaDB, client runtimes), run all tests
# make check   format and lints, nothing is written
# make bench   criterion benchmarks
# make fuzz    made-up input for every parser and evaluator, FUZZ_SECONDS (60) each
#
# One profile for everything: RocksDB alone takes many minutes, so it is compiled once.

export PATH := $(HOME)/.cargo/bin:$(PATH)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
DATA ?= data
FUZZ_SECONDS ?= 60

.PHONY: run build test unit clients check fix bench fuzz

run: build
	$(TARGET_DIR)/release/ringflow start --data-dir $(DATA)

build:
	@scripts/prepare build
	cargo build --release --locked --workspace --bins

test: unit clients

unit:
	@scripts/prepare test
	cargo test --release --locked --workspace --no-fail-fast

# With the broker that the tests have built: what is compiled for them is not compiled again.
clients:
	@scripts/prepare test
	cargo test --release --locked --workspace --no-run
	timeout 1800 tests/clients/run $(TARGET_DIR)/release/ringflow
	CLIENT_SUITE_AUTH=basic timeout 900 tests/clients/run $(TARGET_DIR)/release/ringflow
	CLIENT_SUITE_AUTH=oidc timeout 900 tests/clients/run $(TARGET_DIR)/release/ringflow

check:
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings

fix:
	cargo fmt --all
	cargo clippy --fix --release --allow-dirty --workspace --all-targets

bench:
	cargo bench --locked -p ringflow-bench

fuzz:
	scripts/fuzz $(FUZZ_SECONDS)
