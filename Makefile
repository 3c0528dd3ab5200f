# Defender. `make help` lists what there is to make.
#
# `make deps`, `make run` and `make test` install missing Debian packages (with sudo where you are not root) and
# say so. All other targets name what is missing and install nothing.

CARGO := .ci/cargo

# What runs on which machine: ARCH=armhf (any 32-bit Pi) or arm64 is built here for a board.
HOST_ARCH := $(shell dpkg --print-architecture 2>/dev/null || uname -m)
ARCH ?= $(HOST_ARCH)
made-by-armhf := arm
made-by-arm64 := arm64
made-by-$(HOST_ARCH) := build
# A later compiler has lints that this code has not met: they are shown, and do not end the run.
DENY_WARNINGS = $(if $(filter $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml).%,$(shell $(CARGO) --which-version)),-D warnings)
# FEATURES=turbo: raw pictures are encoded by libjpeg-turbo. .ci/need knows what each feature needs by its name.
FEATURES ?=
features := $(if $(FEATURES),--features $(FEATURES))
BINARY ?= $(if $(filter $(ARCH),$(HOST_ARCH)),target/release/defender,.build/$(made-by-$(ARCH))/defender)

.PHONY: help deps run build arm arm64 test quick check compiled-tests unit turbo loom integration page api-test vm arm-vm packages fuzz bench size deb deploy binary where clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## Install the Debian packages that all targets need
	@.ci/need --install build lint test turbo cross arm-vm api bench fuzz

run: ## Build Defender and run it with ./defender.conf; installs what the build needs
	@.ci/need --install build $(FEATURES)
	@$(MAKE) --no-print-directory build
	./target/release/defender run

build: ## Build the release binary, target/release/defender; FEATURES=turbo: with libjpeg-turbo
	@.ci/need build $(FEATURES)
	$(CARGO) build --release --locked $(features)

arm: ## Build the static binary of every 32-bit Pi, .build/arm/defender
	@.ci/need cross $(FEATURES)
	FEATURES="$(FEATURES)" cross/build arm

arm64: ## Build the static binary of 64-bit boards, .build/arm64/defender
	@.ci/need cross $(FEATURES)
	FEATURES="$(FEATURES)" cross/build arm64

test: ## Run every check and every test: must pass before a change is accepted
	@.ci/test

quick: ## The inner loop: formatting, lints, unit tests, models of the hub, integration tests
	@.ci/need build lint test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- $(DENY_WARNINGS)
	@.ci/promtool
	RUST_TEST_THREADS=8 $(CARGO) test --locked --lib --test it --test layers --test docs --test cross --test corpus --test detect --test jpeg --test segment
	.ci/loom

check: ## Formatting, lints and documentation
	@.ci/need build lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- $(DENY_WARNINGS)
	RUSTDOCFLAGS="$(DENY_WARNINGS)" $(CARGO) doc --no-deps --locked --document-private-items
	.ci/deny
	git ls-files | xargs awk 'FNR == 1 && /^#!.*sh$$/ { print FILENAME } { nextfile }' | xargs shellcheck --severity=warning
	@# Fuzzers are built by `make fuzz` alone: here only whether their versions are still those of Cargo.toml.
	$(CARGO) metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

# All at once use both cores; the targets below find them compiled.
compiled-tests:
	@.ci/need build
	$(CARGO) test --workspace --locked --no-run --lib --bin defender-bench --test it --test layers --test docs --test cross \
		--test corpus --test detect --test segment --test device_vm --test power_cut --test arm_vm

unit: ## Unit tests
	$(CARGO) test --workspace --locked --lib --bin defender-bench

turbo: ## Unit tests of the encoder with libjpeg-turbo in it
	@.ci/need build turbo
	@# The library is compiled for these few tests alone: fast enough without being optimized, and in half the time.
	$(CARGO) test --locked --features turbo --lib --config profile.dev.package.defender.opt-level=0 codec::jpeg

loom: ## Model checks of the hub, every interleaving
	.ci/loom

integration: ## The real binary against curl, openssl and ffmpeg
	@.ci/promtool
	@# These tests wait more than they compute.
	RUST_TEST_THREADS=4 $(CARGO) test --locked --test it --test layers --test docs --test cross --test corpus --test detect --test jpeg --test segment

page: ## The page in Chromium, as a viewer and an admin use it; DEFENDER_SCREENSHOTS=DIR keeps pictures
	@.ci/need build test
	tests/page/run

api-test: ## The API against its own description, by schemathesis
	@.ci/need build api
	.ci/debug-binary
	tests/api/run

vm: ## The real binary against a real kernel's camera driver and power cuts, in qemu
	@.ci/need build test
	tests/vm/prepare .build/vm
	tests/page/install
	@# A test that waits for its machine takes a thread.
	RUST_TEST_THREADS=16 $(CARGO) test --locked --test device_vm
	$(CARGO) test --locked --test power_cut

arm-vm: ## The binaries for boards on an emulated board and Pi Zero, in qemu
	@.ci/need build cross arm-vm
	cross/build arm arm64
	tests/packaging/lint armhf .build/arm/defender
	tests/packaging/lint arm64 .build/arm64/defender
	tests/arm_vm/prepare .build/arm_vm
	$(CARGO) test --locked --test arm_vm

packages: ## The Debian package: built, checked, installed, upgraded, purged in a Debian of its own
	@.ci/need build test
	.ci/debug-binary
	tests/vm/prepare .build/vm
	tests/packaging/run target/debug/defender

deb: binary ## A Debian package in .build; ARCH=armhf or arm64 for a board
	packaging/deb $(ARCH) $(BINARY)

deploy: ## Build for a board, install there, start: HOST=pi@board
	packaging/deploy "$(HOST)" $(if $(filter file,$(origin BINARY)),,$(BINARY))

binary:
	@case '$(origin BINARY)' in file) $(MAKE) --no-print-directory $(made-by-$(ARCH)) ;; esac

where:
	@echo $(BINARY)

fuzz: ## Each fuzz target for a minute; what `make test` runs is its corpus
	@.ci/need build fuzz
	fuzz/run

size: ## What each crate and module takes in the binary
	@.ci/need build
	.ci/size

bench: ## Criterion for hub and encoder, then Defender beside ustreamer
	@.ci/need build bench
	$(CARGO) bench --locked --bench hub --bench encode
	bench/compare

clean: ## Remove everything that was built
	rm -rf target .build
