#!/usr/bin/env bash
# The whole story on one machine, with real checkpoints and a real broker; exits 0 only if every claim holds.
#   tools/demo.sh           run it, leave nothing running
#   tools/demo.sh --keep    leave broker, hub and agents up afterwards, and say how to look at them
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
    ""|--keep) ;;
    *) echo "usage: tools/demo.sh [--keep]" >&2; exit 2 ;;
esac

echo "== 1. What it needs: Debian packages"
tools/deps.sh

echo "== 2. Build (preset release; a few minutes the first time)"
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
cmake --preset release -DTRIBUTARY_TESTS=OFF >build-demo.log 2>&1 || { cat build-demo.log >&2; exit 1; }
rm -f build-demo.log
cmake --build --preset release --target tributary-agent tributary-hub tributary

exec python3 tools/demo/story.py "$@"
