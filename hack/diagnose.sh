#!/usr/bin/env bash
# What a bug report needs: objects, conditions, events and the tail of every
# log. Secrets are not read.
set -uo pipefail
kubectl=${KUBECTL:-kubectl}
section() { printf '\n--- %s\n' "$1"; }

section nodes; $kubectl get nodes -o wide
section pods; $kubectl get pods -A -o wide
section kinds; $kubectl get lucid -A
section conditions
$kubectl get lucid -A -o json |
  jq -r '.items[] | "\(.kind)/\(.metadata.name)", (.status.conditions[]? | "  \(.type)=\(.status) \(.reason): \(.message)")'
section events; $kubectl get events -A --sort-by=.lastTimestamp | tail -n 60
for namespace in lucid-system lucid; do
  for pod in $($kubectl -n "$namespace" get pods -o name); do
    section "log $namespace/$pod"
    $kubectl -n "$namespace" logs "$pod" --all-containers --tail=40
    $kubectl -n "$namespace" logs "$pod" --all-containers --tail=20 --previous 2>/dev/null
  done
done
