# make run     install what the build needs, build, start a broker with embedded SQLite
# make test    install what the tests need (PostgreSQL, MariaDB, client runtimes), run all tests
# make check   format and lints, nothing is written
# make bench   criterion benchmarks
#
# One profile for everything: RocksDB alone takes many minutes, so it is compiled once.

export PATH := $(HOME)/.cargo/bin:$(PATH)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
DATA ?= data

.PHONY: run build test unit clients check fix bench

run: build
	$(TARGET_DIR)/release/ringflow start --data-dir $(DATA)

build:
	@scripts/prepare build
	cargo build --release --locked --bin ringflow
	cargo build --release --locked -p ringflow-perf

test: unit clients

unit:
	@scripts/prepare test
	cargo test --release --locked --workspace

clients: build
	@scripts/prepare test
	tests/clients/run $(TARGET_DIR)/release/ringflow

check:
	cargo fmt --all --check
	cargo clippy --release --locked --workspace --all-targets -- -D warnings

fix:
	cargo fmt --all
	cargo clippy --fix --release --allow-dirty --workspace --all-targets

bench:
	cargo bench --locked -p ringflow-bench
