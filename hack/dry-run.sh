#!/usr/bin/env bash
# Has the running cluster's API server take every manifest that the chart and
# config/ render, strictly and without keeping it.
# usage: dry-run.sh KUBECTL HELM KUSTOMIZE
set -euo pipefail
kubectl=$1 helm=$2 kustomize=$3
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HELM_CACHE_HOME=$work HELM_CONFIG_HOME=$work HELM_DATA_HOME=$work

take() { # take NAME: reads manifests
  printf 'dry run: %s: ' "$1"
  # Another field manager than helm's would own a conflict, not find a mistake.
  "$kubectl" apply --server-side --force-conflicts --dry-run=server --validate=strict -f - | wc -l
}

"$helm" template lucid charts/lucid --namespace lucid-system --set replicas=2 | take 'chart (objects)'
"$kustomize" build config/default | take 'config/default (objects)'
"$kustomize" build config/samples | take 'config/samples (objects)'
