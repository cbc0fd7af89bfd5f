# `make demo` and `make test` each do all of their own set-up, from a clean clone on. `make help` lists the rest.
#
# Every cargo call is `--release`: llama.cpp takes minutes to compile, cargo compiles it once for each profile, and so the demo, the
# tests, clippy and rustdoc share one copy. Its build script also runs anew when certain variables change: every recipe that calls
# cargo therefore reads `.tools/env` first (see scripts/toolchain.sh).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
# cargo would look for make's job server, which recipes like these are not given.
unexport MAKEFLAGS MFLAGS

# Cargo features for the build: `make demo FEATURES=cuda`. Other features mean another copy of llama.cpp; the copies do not clash.
FEATURES :=
MODEL := smollm2-135m

cargo = . .tools/env; cargo
flags = --release --locked $(if $(FEATURES),--features "$(FEATURES)")
widedeep = "$${CARGO_TARGET_DIR:-target}/release/widedeep"

.PHONY: help setup build demo test lint clean clean-tools

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22
	@printf '\n  FEATURES=cuda, metal or vulkan builds for a GPU, for example: make demo FEATURES=cuda\n'

setup: ## find or fetch CMake and libclang
	@bash scripts/toolchain.sh

build: setup ## compile target/release/widedeep
	$(cargo) build $(flags)

demo: build ## judge the demo's pairs with a small local model, from download to report (in demo-run/)
	$(widedeep) models pull $(MODEL)
	rm -rf demo-run
	$(widedeep) eval demo --network widedeep --model $(MODEL) --out demo-run

test: build ## run all tests, those with a real model included
	$(widedeep) models pull $(MODEL)
	bash scripts/llama-server.sh
	WIDEDEEP_TEST_MODEL="$$($(widedeep) models path $(MODEL))"; export WIDEDEEP_TEST_MODEL; \
	export WIDEDEEP_LLAMA_SERVER="$${WIDEDEEP_LLAMA_SERVER:-$(CURDIR)/.tools/llama-server/llama-server}"; \
	$(cargo) test $(flags)

lint: setup ## check formatting, clippy's lints and the documentation
	$(cargo) fmt --check
	$(cargo) clippy $(flags) --all-targets -- -D warnings
	export RUSTDOCFLAGS="-D warnings"; $(cargo) doc $(flags) --no-deps

clean: ## remove target/ and demo-run/
	rm -rf target demo-run

clean-tools: ## forget the decisions of `make setup` and the tools that it fetched
	rm -rf .tools
