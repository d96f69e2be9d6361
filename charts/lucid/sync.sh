#!/usr/bin/env bash
# Copies what is generated into config/ to where the chart's templates read it.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p files/crds
rm -f files/crds/*.yaml
cp ../../config/crd/bases/*.yaml files/crds/
cp ../../config/rbac/role.yaml files/role.yaml
cp ../../config/rbac/user_roles.yaml files/user_roles.yaml
