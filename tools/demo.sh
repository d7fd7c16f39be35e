#!/usr/bin/env bash
# The whole story on one machine, with real checkpoints and a real broker; exits 0 only if every claim holds.
#   tools/demo.sh           run it, leave nothing running
#   tools/demo.sh --keep    leave broker, hub and agents up afterwards, and say how to look at them
#   tools/demo.sh --arch arm64,armhf
#                           the first boards are of these architectures, under QEMU (root; see cross/README.md)
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { echo "usage: tools/demo.sh [--keep] [--arch arm64,armhf]; see --help" >&2; exit 2; }
arguments=("$@")
architectures=
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' tools/demo.sh; exit 0 ;;
        --keep) ;;
        --arch) [[ ${2:-} =~ ^(arm64|armhf)(,(arm64|armhf)){0,2}$ ]] || usage; architectures=${2//,/ }; shift ;;
        *) usage ;;
    esac
    shift
done

echo "== 1. What it needs: Debian packages"
tools/deps.sh

echo "== 2. Build (preset release; a few minutes the first time)"
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
cmake --preset release -DTRIBUTARY_TESTS=OFF >build-demo.log 2>&1 || { cat build-demo.log >&2; exit 1; }
rm -f build-demo.log
cmake --build --preset release --target tributary-agent tributary-hub tributary

for arch in $architectures; do
    echo "== 2. Build the agent for $arch, in a Debian root of its own (long the first time)"
    cross/build.sh --no-tests "$arch"
done

exec python3 tools/demo/story.py "${arguments[@]}"
