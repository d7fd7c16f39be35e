#!/usr/bin/env bash
# Installs what is missing, builds preset "dev", and runs its tests. Arguments replace the selection and go to ctest:
#   tools/test.sh                    every test but those labelled "release"
#   tools/test.sh -L unit            only what carries the label "unit"
#   tools/test.sh -R 'sim/.*'        only names that match
set -euo pipefail
cd "$(dirname "$0")/.."

tools/deps.sh

# One cache for every checkout on this machine; precompiled headers need the sloppiness.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

cmake --preset dev >build-configure.log 2>&1 || { cat build-configure.log >&2; rm -f build-configure.log; exit 1; }
rm -f build-configure.log
cmake --build --preset dev

if [ $# -eq 0 ]; then set -- -LE '^release$'; fi
exec ctest --test-dir build/dev --output-on-failure --no-tests=error --parallel 2 "$@"
