#!/usr/bin/env bash
# govulncheck, with one difference: where its database can't be reached it says
# so and passes, so that a closed network does not stop a change.
set -uo pipefail
output=$("$1" ./... 2>&1)
status=$?
if grep -qE 'fetching vulnerabilities|dial tcp|no such host|connection refused|i/o timeout|Forbidden' <<<"$output" && ! grep -q 'Vulnerability #' <<<"$output"; then
  echo "vuln: the vulnerability database can't be reached from here; not checked"
  exit 0
fi
printf '%s\n' "$output"
exit $status
