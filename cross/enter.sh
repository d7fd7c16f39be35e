#!/usr/bin/env bash
# enter.sh ROOT CCACHE_DIR SOURCE_DIR COMMAND...
# Runs a command in a Debian root, in the source directory, which has the same path there. Mounts and processes live in
# namespaces of their own: however the command, this script or its caller ends, nothing of them is left.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
    exec setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child "$BASH" "${BASH_SOURCE[0]}" --inside "$@"
fi
shift
root=$1 ccache=$2 source=$3
shift 3

mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/ccache" "$root$source"
mount --bind "$ccache" "$root/ccache"
mount --bind "$source" "$root$source"

# A fresh root does not know its own name for the loopback address.
[ -e "$root/etc/hosts" ] || echo '127.0.0.1 localhost' >"$root/etc/hosts"

# Nothing of the caller's environment but what says how to reach the network.
proxies=()
for name in http_proxy https_proxy no_proxy; do
    [ -z "${!name:-}" ] || proxies+=("$name=${!name}")
done
exec env -i "${proxies[@]}" HOME=/root TERM="${TERM:-dumb}" LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    CCACHE_DIR=/ccache CCACHE_BASEDIR="$source" CCACHE_NOHASHDIR=1 \
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime \
    chroot "$root" env --chdir="$source" "$@"
