#!/usr/bin/env bash
# Installs what is missing, builds preset "dev", and runs its tests. Arguments replace the selection and go to ctest:
#   tools/test.sh                    every test but those labelled "release"
#   tools/test.sh -L unit            only what carries the label "unit"
#   tools/test.sh -R 'sim/.*'        only names that match
set -euo pipefail
cd "$(dirname "$0")/.."

# ctest passes over an option that it does not know, and would run everything.
for argument in "$@"; do
    case ${argument%%=*} in
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' tools/test.sh; exit 0 ;;
        -L | -LE | -R | -E | -I | -U | -F | -FA | -FS | -FC | -V | -VV | -N | -Q | -O | -j | -j[0-9]*) ;;
        --label-regex | --label-exclude | --tests-regex | --exclude-regex | --tests-information | --union) ;;
        --fixture-exclude-any | --fixture-exclude-setup | --fixture-exclude-cleanup) ;;
        --verbose | --extra-verbose | --show-only | --quiet | --progress | --print-labels) ;;
        --output-log | --output-junit | --output-on-failure | --no-tests) ;;
        --parallel | --test-load | --timeout | --stop-time | --stop-on-failure) ;;
        --rerun-failed | --repeat | --repeat-until-fail | --schedule-random) ;;
        -*) echo "tools/test.sh: '$argument' is not an option of ctest's that selects or shows tests; see --help" >&2; exit 2 ;;
    esac
done

tools/deps.sh

# One cache for every checkout on this machine; precompiled headers need the sloppiness.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime

cmake --preset dev >build-configure.log 2>&1 || { cat build-configure.log >&2; rm -f build-configure.log; exit 1; }
rm -f build-configure.log
cmake --build --preset dev

if [ $# -eq 0 ]; then set -- -LE '^release$'; fi
exec ctest --test-dir build/dev --output-on-failure --no-tests=error --parallel 2 "$@"
