#!/usr/bin/env bash
# The scripts in tools/ tell how they are called, and refuse what they do not understand before they do anything.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { echo "tests/tidy/scripts.sh: $1" >&2; exit 1; }
for script in deps test demo; do
    told=$(timeout 5 "tools/$script.sh" --help) || fail "tools/$script.sh --help exits $?"
    grep -q "^  tools/$script.sh " <<<"$told" || fail "tools/$script.sh --help does not tell how it is called"
    code=0
    refused=$(timeout 5 "tools/$script.sh" --bogus 2>&1) || code=$?
    [ "$code" = 2 ] || fail "tools/$script.sh --bogus exits $code"
    grep -q -- '--help' <<<"$refused" || fail "tools/$script.sh --bogus does not name --help: $refused"
done
