# shellcheck shell=bash
# To be sourced by the tests of the packages, which are called with [ARCHITECTURE] [FOLDER OF THE PACKAGES]: a clean Debian 12 of
# that architecture in $root, and what they do in it. From here on the test runs in this source tree, with mounts and processes
# of its own. Another architecture runs under QEMU's user emulation, of which cross/emulate.sh tells the kernel.
# KEEP_ROOT=FOLDER keeps the clean system, as it is before packages come, for the next run.

test_name=$(basename "$0")
architecture=${1:-amd64}
[[ $architecture =~ ^(amd64|arm64|armhf)$ ]] || { echo "$test_name: no architecture '$architecture', only amd64, arm64 and armhf" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "$test_name: needs root, for a root directory of its own" >&2; exit 1; }
self=$(realpath "$0")
source_dir=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
packages=$(realpath "${2:-$source_dir/build/release/packages}")
cd "$source_dir"
[ -n "${IN_NAMESPACE:-}" ] || IN_NAMESPACE=1 exec cross/emulate.sh "$architecture" \
    unshare --mount --pid --fork --mount-proc --kill-child --propagation private "$self" "$architecture" "$packages"

work=$(mktemp -d)
root=$work/root
trap 'status=$?; [ $status -eq 0 ] || tail -n 20 "$work"/*.log; umount -R "$root" 2>/dev/null || true; rm -rf --one-file-system "$work"; exit $status' EXIT

say() { printf '%s\n' "- $*"; }
fail() { printf '%s: %s\n' "$test_name" "$*" >&2; exit 1; }
entry=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root")
in_root() { "${entry[@]}" "$@"; }
agent() { in_root tributary-agent "$@"; }

# ends CODE 'TEXT' COMMAND...: it must exit with CODE, having said TEXT.
ends() {
    local code=$1 text=$2 got=0
    shift 2
    "$@" >"$work/said.log" 2>&1 || got=$?
    [ $got -eq "$code" ] || fail "exit code $got instead of $code: $*"
    [ -z "$text" ] || grep -q -- "$text" "$work/said.log" || fail "did not say '$text': $*"
}

patience_s=60
[ "$architecture" = "$(dpkg --print-architecture)" ] || patience_s=600
wait_for() {
    local until=$((SECONDS + patience_s))
    while [ $SECONDS -lt $until ]; do
        "$@" 2>/dev/null && return
        sleep 0.1
    done
    fail "waited in vain for: $*"
}

# Where the package NAME lies, outside and inside.
deb() { ls "$packages/$1"_*_"$architecture".deb; }
deb_inside() { echo "/packages/$(basename "$(deb "$1")")"; }
install_inside() { in_root apt-get install -y -qq --no-install-recommends "$@"; } # PACKAGE...

# A clean system with the named packages of ours in /packages.
make_root() { # NAME...
    . tools/mirror.sh
    local mirror tar=${KEEP_ROOT:-$work}/$architecture.tar name
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || fail "this machine's apt sources name no mirror of 'bookworm main'; set TRIBUTARY_DEBIAN_MIRROR"
    for name in "$@"; do
        deb "$name" >/dev/null 2>&1 || fail "no package of $name for $architecture in $packages; packaging/README.md tells how to make it"
    done
    if [ ! -e "$tar" ]; then
        mkdir -p "$(dirname "$tar")"
        # check/qemu: it would look for an emulator on this machine; the kernel has one
        mmdebstrap --skip=check/qemu --variant=minbase --components=main --architectures="$architecture" bookworm "$tar.new" \
            "deb $mirror bookworm main" --format=tar >"$work/mmdebstrap.log" 2>&1
        mv "$tar.new" "$tar"
    fi
    mkdir "$root"
    tar -xf "$tar" -C "$root"
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"
    mkdir "$root/packages"
    for name in "$@"; do cp "$(deb "$name")" "$root/packages"; done
    chmod 755 "$work"
    in_root apt-get update -qq
    say "a clean Debian 12, $architecture"
}

# Runs a unit's command as systemd would, with a manager who listens, until `ready`; stop_unit ends it.
start_unit() { # NAME
    local unit=$root/lib/systemd/system/$1.service user command
    user=$(sed -n 's/^User=//p' "$unit")
    command=$(sed -n 's/^ExecStart=//p' "$unit")
    rm -f "$root/run/notify"
    python3 - "$root/run/notify" "$work/heard.log" <<'PYTHON' &
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
with open(sys.argv[2], "w", buffering=1) as heard:
    while True:
        print(listener.recv(4096).decode(), file=heard)
PYTHON
    listener=$!
    wait_for test -S "$root/run/notify"
    # shellcheck disable=SC2086  # words of the unit
    "${entry[@]}" setpriv --reuid "$user" --regid "$user" --init-groups \
        env NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=1000000 $command >"$work/unit.log" 2>&1 &
    running=$!
    wait_for grep -q READY=1 "$work/heard.log"
    wait_for grep -q WATCHDOG=1 "$work/heard.log"
}
stop_unit() {
    local code=0
    kill -TERM "$running"
    wait "$running" || code=$?
    [ $code -eq 0 ] || fail "the daemon ended with $code"
    grep -q STOPPING=1 "$work/heard.log" || fail "the daemon did not say that it stops"
    kill "$listener"
    wait "$listener" 2>/dev/null || true
}
