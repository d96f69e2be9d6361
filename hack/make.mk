# The local platform and the tools. Included by the top Makefile, which sets GO.

# Prints the path of a pinned tool, after building it where that is needed.
TOOL           := $(GO) run ./hack/tools/install
# Prints the folder for KUBEBUILDER_ASSETS.
ENVTEST_ASSETS := $(GO) run ./hack/tools/envtest-assets
CLUSTER        := $(GO) run ./hack/cluster

##@ Run

.PHONY: up
up: ## From a fresh clone to a running platform: cluster, image, operator, samples.
	@$(CLUSTER) up
	@$(CLUSTER) load-image
	@$(CLUSTER) deploy

.PHONY: down
down: ## Remove the local platform and everything it left.
	@$(CLUSTER) down

.PHONY: status
status: ## Show what runs.
	@$(CLUSTER) status

.PHONY: env
env: ## Print the variables of the running platform: eval "$(make -s env)".
	@$(CLUSTER) env

.PHONY: cluster-up
cluster-up: ## The local cluster alone, with its database.
	@$(CLUSTER) up

.PHONY: image
image: ## Build the product's image and load it into the cluster.
	@$(CLUSTER) load-image

.PHONY: deploy
deploy: ## Install or upgrade the operator and the samples in the cluster.
	@$(CLUSTER) deploy

.PHONY: tools
tools: ## Build every pinned tool into your cache folder.
	@$(TOOL) all
