#!/usr/bin/env bash
# Has the running cluster's API server take every manifest that the chart and
# config/ render, strictly and without keeping it.
# usage: dry-run.sh KUBECTL HELM KUSTOMIZE
set -euo pipefail
kubectl=$1 helm=$2 kustomize=$3
cd "$(dirname "$0")/.."
work=$(mktemp -d)
# config/default is judged as a new installation: beside the chart's operator,
# under its name and in its namespace, only immutable fields would be found.
aside=lucid-dry-run
tidy() {
  rm -rf "$work"
  "$kubectl" delete namespace "$aside" --ignore-not-found --wait=false >/dev/null
}
trap tidy EXIT
export HELM_CACHE_HOME=$work HELM_CONFIG_HOME=$work HELM_DATA_HOME=$work

take() { # take NAME: reads manifests
  printf 'dry run: %s: ' "$1"
  # Another field manager than helm's would own a conflict, not find a mistake.
  "$kubectl" apply --server-side --force-conflicts --dry-run=server --validate=strict -f - | wc -l
}

"$helm" template lucid charts/lucid --namespace lucid-system --set replicas=2 | take 'chart (objects)'
"$kubectl" create namespace "$aside" >/dev/null
"$kustomize" build config/default | sed "s/: lucid-system\$/: $aside/" | take 'config/default (objects)'
"$kustomize" build config/samples | take 'config/samples (objects)'
