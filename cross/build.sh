#!/usr/bin/env bash
# From a bare Debian 12 to tested binaries for another machine: a clean Debian root, cross compiler and libraries in it, the
# preset of that architecture, and its tests under QEMU. The programs end up in build/ARCH/bin; cross/README.md tells the rest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source_dir=$PWD

usage() {
    cat <<'END'
usage: cross/build.sh [--cache DIR] [--jobs N] [--no-tests] arm64|armhf
       cross/build.sh [--cache DIR] arm64|armhf -- COMMAND [ARGUMENT...]

The first builds and tests. The second runs a command inside the root, in this directory, for instance `-- bash`.

  --cache DIR   where the root and the compiler's cache are kept for the next run
                (default: $XDG_CACHE_HOME/tributary/cross, or ~/.cache/tributary/cross)
  --jobs N      how many compilers at a time (default: one a processor)
  --no-tests    build the programs alone, without tests

TRIBUTARY_DEBIAN_MIRROR=URL takes packages from there instead of from the mirror in this machine's apt sources.
Exit codes: 0 built and tested, 1 something failed, 2 called wrongly.
END
}
fail() {
    printf 'cross/build.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}
step() { printf '\n== %s\n' "$1"; }

# ---- arguments ----

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tributary/cross
jobs=$(nproc)
tests=ON
arch=
command=()
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --cache | --jobs)
            [ $# -gt 1 ] || fail "$1 needs a value; see --help" 2
            if [ "$1" = --cache ]; then cache=$2; else jobs=$2; fi
            shift ;;
        --no-tests) tests=OFF ;;
        --) shift; [ $# -gt 0 ] || fail "nothing to run behind '--'; see --help" 2; command=("$@"); break ;;
        -*) fail "unknown option '$1'; see --help" 2 ;;
        *)
            [ -z "$arch" ] || fail "one architecture at a time, not '$arch' and '$1'; see --help" 2
            arch=$1 ;;
    esac
    shift
done
case $arch in
    arm64) compiler=g++-aarch64-linux-gnu ;;
    armhf) compiler=g++-arm-linux-gnueabihf ;;
    '') fail "say which architecture: arm64 or armhf; see --help" 2 ;;
    *) fail "cannot build for '$arch', only for arm64 and armhf; for this machine itself use 'cmake --preset release'" 2 ;;
esac
[[ $jobs =~ ^[1-9][0-9]*$ ]] || fail "--jobs $jobs is not a number from 1" 2

# ---- what this machine must offer ----

[ "$(id -u)" -eq 0 ] || fail "needs root, to make and enter a Debian root; run it with sudo"
command -v apt-get >/dev/null || fail "needs a Debian machine (apt-get is not here); it is made for Debian 12"
[ "$(dpkg --print-architecture)" = amd64 ] ||
    fail "cross-compiles on amd64 only; on an ARM machine build natively with 'cmake --preset release'"
unshare --mount --propagation private true 2>/dev/null ||
    fail "may not make a mount namespace here; in a container, give it the capability SYS_ADMIN"

mkdir -p "$cache" || fail "cannot make the cache directory $cache; choose another with --cache"
cache=$(cd "$cache" && pwd)
case $cache/ in "$source_dir"/*) [[ $cache/ = "$source_dir"/build/* ]] ||
    fail "the cache $cache is among the sources; choose one outside, or below build/" ;;
esac
root=$cache/root
log=$cache/setup.log

# Whole runs measured: root 2.4 GB with both architectures, its making 0.4 GB more, the compiler's cache 0.2 GB, a build 0.5 GB.
needs_mib() {
    local free
    free=$(df --output=avail -BM "$1" | tail -1 | tr -dc 0-9)
    [ "$free" -ge "$2" ] || fail "$1 has $free MiB free, and $3 takes about $2; make room$4"
}
if [ ! -e "$root/.tributary" ]; then
    needs_mib "$cache" 3500 "the Debian root" ", or choose another disk with --cache"
else
    needs_mib "$cache" 500 "the compiler's cache" ", or choose another disk with --cache"
fi
needs_mib "$source_dir" 1000 "a build" ""

# ---- the root ----

# Runs quietly, and shows the end of what was said when it goes wrong.
quietly() { # WHAT COMMAND...
    local what=$1
    shift
    "$@" >>"$log" 2>&1 && return
    tail -15 "$log" >&2
    fail "could not $what. All of it is in $log.
  Packages come from $mirror. Is the network up, and does that mirror carry 'bookworm main' for amd64 and $arch?
  Set TRIBUTARY_DEBIAN_MIRROR to use another. Running this again goes on where it stopped."
}
in_root() { bash cross/enter.sh "$root" "$cache/ccache" "$source_dir" "$@"; }
apt_in_root() { in_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 "$@"; }

. tools/mirror.sh
mirror=$(debian_mirror)
[ -n "$mirror" ] || fail "this machine's apt sources name no mirror of 'bookworm main'; set TRIBUTARY_DEBIAN_MIRROR"

make_root() {
    if ! command -v mmdebstrap >/dev/null; then
        step "Installing mmdebstrap, which makes Debian roots"
        quietly "update this machine's package lists" apt-get update -qq
        quietly "install mmdebstrap on this machine" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends mmdebstrap
    fi
    step "Making a Debian 12 root in $root from $mirror"
    rm -rf --one-file-system "$root" "$root.new" # one that was not finished
    # The main suite alone: packages of several architectures go together only in the same version, and the suites with updates
    # may lag behind on one of them.
    quietly "make a Debian root" mmdebstrap --variant=minbase --components=main --architectures=amd64 bookworm "$root.new" \
        "deb $mirror bookworm main"
    echo '127.0.0.1 localhost' >"$root.new/etc/hosts"
    printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d" # packages start no services
    chmod 755 "$root.new/usr/sbin/policy-rc.d"
    mkdir "$root.new/.tributary"
    mv "$root.new" "$root"
}

# Which packages are there already, by a checksum of their list: a list that grew is installed anew.
installed() { # NAME PACKAGE...
    [ "$(cat "$root/.tributary/$1" 2>/dev/null)" = "$(printf '%s\n' "${@:2}" | sha256sum)" ]
}
install_once() { # NAME PACKAGE...
    ! installed "$@" || return 0
    local name=$1
    shift
    step "Installing $# packages in the root for $name"
    echo "deb $mirror bookworm main" >"$root/etc/apt/sources.list"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
    quietly "finish what a run before began in the root" in_root dpkg --configure -a
    quietly "update the root's package lists" apt_in_root update -qq
    # versions must stay the same on all architectures, also when Debian has made a point release meanwhile
    quietly "upgrade the root" apt_in_root dist-upgrade -y -qq
    quietly "install the packages for $name in the root" apt_in_root install -y -qq --no-install-recommends "$@"
    printf '%s\n' "$@" | sha256sum >"$root/.tributary/$name"
}

# shellcheck source=tools/packages.sh
. tools/packages.sh
native=(g++ dpkg-dev file qemu-user-static "${build_packages[@]}" "${test_packages[@]}")
# The compiler, and the libraries of `arch`; one that is the same for all (headers alone) has no architecture in its name.
foreign() {
    echo "$compiler"
    in_root apt-cache show --no-all-versions "${library_packages[@]}" | awk -v arch="$arch" '
        $1 == "Package:" { name = $2 }
        $1 == "Architecture:" { print name ($2 == "all" ? "" : ":" arch) }'
}

prepared() {
    local packages
    installed "building and testing" "${native[@]}" || return
    mapfile -t packages < <(foreign)
    installed "$arch" "${packages[@]}"
}
prepare_root() {
    local packages
    : >"$log"
    [ -e "$root/.tributary" ] || make_root
    install_once "building and testing" "${native[@]}"
    in_root dpkg --add-architecture "$arch"
    mapfile -t packages < <(foreign)
    install_once "$arch" "${packages[@]}"
}

# Any number of runs may use the root at once; one that changes it is alone.
mkdir -p "$cache/ccache"
exec 9>"$cache/lock"
use_root() { flock --shared --nonblock 9 || { echo "Waiting for another run that prepares $root"; flock --shared 9; }; }
use_root
if ! prepared; then
    flock --nonblock 9 || { echo "Waiting for another run that uses $root"; flock 9; }
    prepare_root
    use_root
fi

if [ ${#command[@]} -gt 0 ]; then
    in_root "${command[@]}"
    exit
fi

# ---- build and test ----

# What sudo made belongs to whom it was made for.
if [ -n "${SUDO_UID:-}" ]; then
    trap 'chown "$SUDO_UID" build && chown -R "$SUDO_UID" "build/$arch"' EXIT
fi

started=$SECONDS
step "Building preset $arch"
in_root cmake --preset "$arch" -DTRIBUTARY_TESTS=$tests >"$cache/configure-$arch.log" 2>&1 || { cat "$cache/configure-$arch.log" >&2; fail "could not configure"; }
in_root nice -n 5 cmake --build --preset "$arch" -j "$jobs" || fail "could not build preset $arch"
built=$SECONDS
[ $tests = ON ] || { printf '\nBuilt in %d s: build/%s/bin\n' $((built - started)) "$arch"; exit 0; }

step "Testing preset $arch under QEMU"
in_root ctest --preset "$arch" --parallel "$jobs" || fail "tests failed for $arch"
printf '\nBuilt in %d s, tested in %d s: build/%s/bin\n' $((built - started)) $((SECONDS - built)) "$arch"
