#!/usr/bin/env bash
# The packages' life in a clean Debian 12: install, run by the unit's own command line, upgrade, remove, purge; and bad input.
#   lifecycle.sh [amd64|arm64|armhf] [FOLDER OF THE PACKAGES]
set -euo pipefail
# shellcheck source=tests/packages/clean_root.sh
. "$(dirname "$0")/clean_root.sh"

tools/deps.sh mmdebstrap lintian dpkg-dev file
make_root tributary-agent tributary-hub tributary
cp tests/data/cnn-sgd/v0[12].safetensors "$root/packages"

lintian --allow-root --fail-on error,warning "$root"/packages/*.deb >"$work/lintian.log" ||
    fail "lintian finds something"
say "lintian finds nothing"

# ---- install ----

ends 0 'nothing is started, because /etc/tributary/agent.toml sets nothing yet' \
    install_inside "$(deb_inside tributary-agent)" "$(deb_inside tributary-hub)" "$(deb_inside tributary)"
for name in tributary tributary-agent tributary-hub; do
    ends 0 "^$name " in_root "$name" --version
    in_root dpkg --verify "$name" | grep . && fail "$name is not as its md5sums say"
done
for part in agent hub; do
    [ "$(stat -c '%U %a' "$root/etc/tributary/$part.toml")" = "root 644" ] || fail "$part.toml has another owner or mode"
    [ "$(in_root stat -c '%U:%G %a' "/var/lib/tributary-$part")" = "tributary-$part:tributary-$part 750" ] ||
        fail "the state folder of $part has another owner or mode"
    condition=$(sed -n 's/^ExecCondition=+//p' "$root/lib/systemd/system/tributary-$part.service" | tr -d '"')
    # shellcheck disable=SC2086
    ! in_root $condition || fail "$part would start without a configuration"
    [ -L "$root/etc/systemd/system/multi-user.target.wants/tributary-$part.service" ] || fail "$part is not enabled"
done
ends 2 "state_dir" agent status
say "installed; nothing starts without a configuration"

# ---- run ----

sed -i 's/^#state_dir/state_dir/' "$root/etc/tributary/agent.toml"
in_root grep -qs '^[^#]' /etc/tributary/agent.toml
first=$(agent commit --repo lab/model /packages/v01.safetensors)
start_unit tributary-agent
second=$(agent commit --repo lab/model /packages/v02.safetensors)
agent restore lab/model --to /tmp/restored >/dev/null
cmp "$root/packages/v02.safetensors" "$root/tmp/restored/v02.safetensors"
stop_unit
[ -z "$(in_root find /var/lib/tributary-agent ! -user tributary-agent)" ] || fail "root's verbs left files that the service cannot use"
say "the agent's unit runs, records, restores, beats and stops"

printf '[broker]\nurl = "mqtt://127.0.0.1:1"\n' >"$work/add"
sed -i 's/^#state_dir/state_dir/' "$root/etc/tributary/hub.toml"
cat "$work/add" >>"$root/etc/tributary/hub.toml"
start_unit tributary-hub
ends 0 'No device' in_root tributary --hub http://127.0.0.1:8460 device list
stop_unit
grep -q "no broker, trying on" "$work/unit.log" || fail "the hub does not say that its broker is away"
say "the hub's unit runs without its broker, answers, beats and stops"

# ---- upgrade, with the data kept ----

dpkg-deb -R "$(deb tributary-agent)" "$work/newer"
sed -i 's/^Version: .*/&+1/' "$work/newer/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/newer" "$root/packages/newer.deb" >/dev/null
ends 0 "" in_root dpkg -i /packages/newer.deb
grep -q '^state_dir' "$root/etc/tributary/agent.toml" || fail "the upgrade lost the configuration"
for id in "$first" "$second"; do ends 0 "$id" agent log; done
ends 0 "" agent fsck --data
say "upgraded, configuration and data kept"

# ---- bad input ----

state=/var/lib/tributary-agent
mount --bind "$root$state" "$root$state"
mount -o remount,ro,bind "$root$state"
ends 1 "read-only" agent commit --repo lab/model /packages/v01.safetensors -m again
ends 1 "read-only" agent run
ends 1 "read-only" agent doctor
umount "$root$state"
say "a read-only state folder: said so, exit code 1"

# As boards are set up that may lose power: nothing but the state can be written, not even /tmp.
mount --bind "$root$state" "$root$state"
mount -o remount,ro,bind "$root"
ends 1 "" in_root touch /tmp/file
start_unit tributary-agent
ends 0 sha256 agent commit --repo lab/model /packages/v01.safetensors -m "on a read-only system"
ends 0 "" agent fsck --data
stop_unit
mount -o remount,rw,bind "$root"
umount "$root$state"
say "a read-only system but for the state folder: runs and records"

mkdir "$root/mnt/tiny"
mount -t tmpfs -o size=1536k tmpfs "$root/mnt/tiny"
echo 'state_dir = "/mnt/tiny/state"' >"$root/etc/tiny.toml"
in_root sh -c 'echo small >/packages/small'
kept=$(agent --config /etc/tiny.toml commit --repo lab/small /packages/small)
ends 1 "disk" agent --config /etc/tiny.toml commit --repo lab/model /packages/v01.safetensors /packages/v02.safetensors
ends 0 "$kept" agent --config /etc/tiny.toml log
ends 0 "" agent --config /etc/tiny.toml fsck --data
umount "$root/mnt/tiny"
say "a tiny disk: said so, exit code 1, what was recorded is sound"

mount -t tmpfs -o size=64k tmpfs "$root/tmp"
dd if=/dev/zero of="$root/tmp/full" 2>/dev/null || true
ends 0 sha256 agent commit --repo lab/model /packages/v01.safetensors -m "with a full /tmp"
start_unit tributary-agent
stop_unit
umount "$root/tmp"
say "a full /tmp: nothing of ours needs it"

if [ "$architecture" = armhf ]; then
    say "a clock at 1970: not tried, for Debian 12's libfaketime does not reach 64-bit time in 32-bit programs"
else
    install_inside libfaketime >"$work/apt.log" 2>&1
    faketime=$(in_root sh -c 'echo /usr/lib/*/faketime/libfaketime.so.1')
    at_1970() { in_root env LD_PRELOAD="$faketime" FAKETIME='@1970-01-01 00:00:05' FAKETIME_DONT_FAKE_MONOTONIC=1 tributary-agent "$@"; }
    ends 0 sha256 at_1970 commit --repo lab/model /packages/v02.safetensors -m "without a clock"
    ends 0 "sound" at_1970 fsck --data
    ends 0 "not synchronised, shows 1970" at_1970 doctor
    ends 0 "clock not synchronised" agent log
    say "a clock at 1970: recorded in order, and said so"
fi

cat >>"$root/etc/tributary/agent.toml" <<'TOML'
[hub]
url = "http://hub.invalid:8460"
[broker]
url = "mqtt://hub.invalid:1883"
TOML
start_unit tributary-agent # this system has no DNS and no hub
ends 0 sha256 agent commit --repo lab/model /packages/v01.safetensors -m "before the network"
ends 0 pending agent status
stop_unit
grep -q "trying on" "$work/unit.log" || fail "the agent does not say that it tries on"
ends 5 "cannot" agent doctor
say "before the network: records, tries on, says so once"

echo 'sate_dir = "/x"' >"$root/etc/wrong.toml"
ends 2 "unknown key 'sate_dir'" agent --config /etc/wrong.toml run
rm -rf "$work/newer/DEBIAN/conffiles"
sed -i 's/^Architecture: .*/Architecture: s390x/' "$work/newer/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/newer" "$root/packages/foreign.deb" >/dev/null
ends 1 "package architecture (s390x) does not match system" in_root dpkg -i /packages/foreign.deb
mv "$root"/usr/lib/*/libzstd.so.1 "$work"
ends 127 "error while loading shared libraries: libzstd.so.1" agent status
mv "$work/libzstd.so.1" "$root"/usr/lib/*-linux-gnu*/
say "a wrong key, another machine's package, a missing library: each is named"

# ---- remove and purge ----

for name in tributary-agent tributary-hub tributary; do ends 0 "" in_root dpkg -r "$name"; done
[ -s "$root/etc/tributary/agent.toml" ] && [ -d "$root$state/store" ] || fail "removing took configuration or data"
ends 0 "$state is kept, because it holds recorded data" in_root dpkg -P tributary-agent tributary-hub
[ ! -e "$root/etc/tributary" ] || fail "purging left the configuration"
[ -z "$(in_root find /etc/systemd /usr/bin /lib/systemd /usr/share -name '*tributary*')" ] || fail "purging left files"
[ -d "$root$state/store" ] || fail "purging took recorded data"
say "removed and purged, recorded data kept"

# ---- the units, by systemd's own judgement ----

install_inside systemd dbus "$(deb_inside tributary-agent)" "$(deb_inside tributary-hub)" >"$work/apt.log" 2>&1
for part in agent hub; do
    in_root systemd-analyze verify --man=no "/lib/systemd/system/tributary-$part.service" >"$work/verify.log" 2>&1
    ! grep -q "tributary" "$work/verify.log" || fail "systemd-analyze verify finds something"
    in_root systemd-analyze security --offline=true --threshold=25 "/lib/systemd/system/tributary-$part.service" >"$work/security.log" 2>&1 ||
        fail "the unit of $part is more exposed than it was"
    say "tributary-$part.service: $(grep -o 'exposure level.*' "$work/security.log")"
done

# ---- the units, under a systemd of their own ----

# An emulated systemd cannot be booted so: QEMU's user emulation has no seccomp.
if [ "$architecture" != "$(dpkg --print-architecture)" ]; then
    echo "all is well"
    exit
fi
umount "$root/run" "$root/proc" "$root"
sed -i 's/^#state_dir/state_dir/' "$root/etc/tributary/agent.toml"
printf '[[watch]]\npath = "/srv/in"\nrepo = "lab/in"\nsettle = "100ms"\n' >>"$root/etc/tributary/agent.toml"
mkdir -p "$root/srv/in" "$root/etc/systemd/system/tributary-agent.service.d"
printf '[Service]\nWatchdogSec=2s\nRestartSec=1s\n' >"$root/etc/systemd/system/tributary-agent.service.d/impatient.conf"
unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup --propagation private \
    tests/packages/boot.sh "$root" >"$work/boot.log" 2>&1 </dev/null &
outside=$!
systemd=
find_systemd() { systemd=$(pgrep -P "$outside"); }
wait_for find_systemd
inside() {
    nsenter --target "$systemd" --all --root --wd -- \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
shows() { inside systemctl show --property "$2" --value "$1" | grep -qx -- "$3"; } # UNIT PROPERTY VALUE
booted() { inside systemctl is-system-running | grep -qE 'running|degraded'; }
wait_for booted

wait_for shows tributary-agent ActiveState active
shows tributary-hub ConditionResult no || fail "the hub was started without a configuration"
shows tributary-hub ActiveState inactive || fail "the hub without a configuration counts as failed"
inside sh -c 'head -c 5000 /dev/urandom >/tmp/file; chmod 644 /tmp/file'
ends 0 sha256 inside tributary-agent commit --repo lab/file /tmp/file
ends 0 '1 file' inside tributary-agent restore lab/file --to /tmp/restored
inside cmp /tmp/file /tmp/restored/file
ends 1 "read-only, here or for this service" inside tributary-agent restore lab/file --to /opt/restored
# Somebody else's file that is still being written: open for two seconds, long at rest.
inside sh -c 'exec 3>/srv/in/slow; chmod 644 /srv/in/slow; echo part >&3; sleep 2; tributary-agent log lab/in >/tmp/log 2>&1; echo rest >&3'
ends 1 "" inside grep -q '^version' /tmp/log
recorded() { inside tributary-agent log lab/in | grep -q '^version'; }
wait_for recorded
say "booted: runs with its few rights, through which verbs and watched folders work"

inside systemctl kill --kill-whom=main --signal=STOP tributary-agent
wait_for shows tributary-agent NRestarts 1
wait_for shows tributary-agent ActiveState active
echo 'x = 1' >>"$root/etc/tributary/hub.toml"
ends 1 "" inside systemctl restart tributary-hub
shows tributary-hub ExecMainStatus 2 || fail "a wrong configuration ended with another code than 2"
sleep 1
shows tributary-hub ActiveState failed || fail "a wrong configuration is tried again"
say "booted: a daemon that hangs is replaced, a wrong configuration is not tried again"

ends 0 "" inside dpkg -i /packages/newer.deb
shows tributary-agent ActiveState active || fail "the upgrade did not restart the agent"
ends 0 "" inside dpkg -r tributary-agent tributary-hub
shows tributary-agent ActiveState inactive || fail "removing did not stop the agent"
ends 0 "is kept" inside dpkg -P tributary-agent
kill -KILL "$systemd"
wait "$outside" 2>/dev/null || true
say "booted: upgrading restarts, removing stops"
echo "all is well"
