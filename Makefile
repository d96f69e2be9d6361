# `make help` lists the commands. Everything here works on a fresh clone.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO         ?= go
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS    := -s -w -X github.com/lucid-blockchain/lucid/internal/version.Version=$(VERSION)
TEST_FLAGS ?= -race
# The suites under test/ find the platform of `make up` here.
PLATFORM   := set -a && . .lucid/env && set +a

include hack/make.mk

##@ Develop

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} /^[a-zA-Z0-9_-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/lucid for this machine.
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/lucid .

.PHONY: fmt
fmt: ## Format the Go code.
	gofmt -w $$(git ls-files '*.go')

##@ Check

.PHONY: test
test: ## Unit, property, store and envtest suites, with the race detector.
	$(GO) run ./hack/prerequisites postgresql
	KUBEBUILDER_ASSETS="$$($(ENVTEST_ASSETS))" $(GO) test $(TEST_FLAGS) ./...

# The launchpad and all that answers behind it.
SURFACE := apiserver/launchpad apiserver/httpx apiserver/middleware apiserver/openapi apiserver/openapi/conformance apiserver/ws \
	internal/bridge internal/bridge/counterchain internal/bridge/witness internal/chain internal/curve internal/feed \
	internal/graduated internal/identity internal/keystore internal/ledger internal/mail internal/market internal/money \
	internal/ratelimit internal/text internal/wallet
MODULE  := github.com/lucid-blockchain/lucid
comma   := ,
empty   :=
space   := $(empty) $(empty)

.PHONY: cover
cover: ## Which part of the launchpad's packages their tests run; fails under 85 %.
	$(GO) run ./hack/prerequisites postgresql
	profile="$$(mktemp)"; trap 'rm -f "$$profile"' EXIT; \
	$(GO) test -coverprofile="$$profile" -coverpkg=$(subst $(space),$(comma),$(addprefix $(MODULE)/,$(SURFACE))) \
		$(addprefix ./,$(SURFACE)) | sed 's/coverage: .*//'; \
	$(GO) run ./hack/coverage "$$profile"

.PHONY: verify
verify: verify-generated lint verify-charts vuln ## Fail when anything generated is stale or a linter complains.

.PHONY: lint
lint: ## golangci-lint, with the import rules.
	$$($(TOOL) golangci-lint) run ./...

.PHONY: vuln
vuln: ## Known vulnerabilities; says so and passes where their database can't be reached.
	@hack/vulnerabilities.sh "$$($(TOOL) govulncheck)"

##@ Suites on the running platform (after make up)

.PHONY: e2e
e2e: ## From objects to a graduated chain, through kubectl's API and REST only.
	$(PLATFORM) && hack/dry-run.sh "$$($(TOOL) kubectl)" "$$($(TOOL) helm)" "$$($(TOOL) kustomize)"
	$(PLATFORM) && $(GO) test -tags e2e -count=1 -v -timeout 25m ./test/e2e/...

.PHONY: chaos
chaos: ## Kill pods at random under 10 000 and 20 000 trades; nothing acknowledged may be lost.
	$(PLATFORM) && $(GO) test -tags e2e -count=1 -v -timeout 40m ./test/chaos/...

.PHONY: bench-birth
bench-birth: ## Chains born by REST and by kubectl: time until the other side shows them.
	$(PLATFORM) && $(GO) run ./test/load/birth

.PHONY: bench-policy
bench-policy: ## RateLimitPolicy edits under load: time until every pod enforces them.
	$(PLATFORM) && $(GO) run ./test/load/policy

.PHONY: bench-chains
bench-chains: ## 1 000 Chains at once: time to Ready, then the writes of a silent minute.
	$(PLATFORM) && $(GO) run ./test/load/chains

.PHONY: bench-graduation
bench-graduation: ## Time from the trade that crosses a threshold until the chain is a blockchain, 20 times.
	$(PLATFORM) && $(GO) run ./test/load/graduation

.PHONY: diagnose
diagnose: ## Objects, events and logs of the running platform, for a bug report.
	$(PLATFORM) && hack/diagnose.sh

##@ Benchmarks that need no cluster

.PHONY: bench-market
bench-market: ## Market trades per second against raw pgbench, same database, same run.
	$(GO) run ./hack/bench/market

.PHONY: bench-chain
bench-chain: ## Swaps per second committed by 1 and 4 validators against CometBFT's kvstore, same run.
	$(GO) run ./hack/bench/chain

##@ Generate

.PHONY: generate
generate: ## Write every generated file: deep copies, CRDs, roles, queries, protobuf, chart, reference.
	controller_gen="$$($(TOOL) controller-gen)"; \
	"$$controller_gen" object paths=./api/... ; \
	"$$controller_gen" crd paths=./api/... output:crd:dir=config/crd/bases ; \
	"$$controller_gen" rbac:roleName=lucid-operator paths=./controllers/... output:rbac:dir=config/rbac
	cd internal/store && "$$(cd ../.. && $(TOOL) sqlc)" generate
	protos="$$(git ls-files 'internal/*.proto')"; cd hack/proto && $(GO) run . -root ../.. $$protos
	charts/lucid/sync.sh
	"$$($(TOOL) helm)" template lucid charts/lucid --namespace lucid-system > test/chart/default.golden.yaml
	"$$($(TOOL) helm)" template lucid charts/lucid --namespace lucid-system -f test/chart/full.values.yaml > test/chart/full.golden.yaml
	"$$($(TOOL) crd-ref-docs)" --source-path=api --config=hack/reference.yaml --renderer=markdown --output-path=docs/reference.md --log-level=ERROR

# Every file that generate writes.
GENERATED := 'api/**/zz_generated*' config/crd config/rbac/role.yaml internal/store/db 'internal/**/*.pb.go' charts/lucid/files test/chart docs/reference.md

.PHONY: verify-generated
verify-generated: generate ## Fail when a generated file is not what its source says.
	@changed="$$(git status --porcelain -- $(GENERATED))"; \
	if [ -n "$$changed" ]; then \
		echo "generated files are stale; run make generate and commit:"; echo "$$changed"; \
		git --no-pager diff --stat -- $(GENERATED); exit 1; \
	fi

.PHONY: verify-charts
verify-charts: ## helm lint, kube-score and, where its schemas can be had, kubeconform.
	hack/verify-charts.sh "$$($(TOOL) helm)" "$$($(TOOL) kustomize)" "$$($(TOOL) kube-score)" "$$($(TOOL) kubeconform)"
