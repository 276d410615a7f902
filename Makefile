# One verb for each thing done here every day; `make` alone lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test fuzz bench bench-start fmt fmt-check lint doc deny

help: ## List these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the switch with its demonstration, all on this machine
	cargo run --release

test: ## Run everything that must pass, after installing what it needs
	@.ci/test

fuzz: ## Run every fuzz target from the seeds of the test data (needs cargo-fuzz)
	@.ci/fuzz

bench: ## Measure: the benchmarks, then one run of load
	cargo bench -p benches
	benches/run.sh

bench-start: ## Measure a start after a crash: FOLDER and PAYMENTS say where and how many
	cargo bench -p benches --bench start -- $(FOLDER) $(PAYMENTS)

fmt: ## Format the code
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml

fmt-check: ## Check that the code is formatted
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check

lint: ## Find mistakes and breaches of the house rules (clippy)
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy -p switch --no-default-features --locked -- -D warnings
	cargo clippy --manifest-path fuzz/Cargo.toml --locked -- -D warnings

doc: ## Build the documentation; a broken link is an error
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

deny: ## Check licences, bans and sources of all dependencies (needs cargo-deny)
	@for manifest in Cargo.toml fuzz/Cargo.toml; do \
		cargo fetch --locked --manifest-path $$manifest && \
		cargo deny --manifest-path $$manifest --offline --locked --config .deny.toml \
			check --hide-inclusion-graph licenses bans sources || exit 1; \
	done
