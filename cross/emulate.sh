#!/usr/bin/env bash
# emulate.sh ARCH COMMAND...
# Runs a command while the kernel starts programs of ARCH (arm64 or armhf) by itself, through QEMU, also in a root of their own.
# For this machine's own architecture it just runs the command. Else it registers the emulator of the root that cross/build.sh made
# with binfmt_misc, and takes that back when the command has ended. Meanwhile the whole machine has it: kernels before 6.7 know no
# smaller way. What a killed run left, the next one removes.
set -euo pipefail
fail() {
    printf 'cross/emulate.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}
[ $# -ge 2 ] || fail "usage: cross/emulate.sh arm64|armhf COMMAND [ARGUMENT...]" 2
arch=$1
[ "$arch" != "$(dpkg --print-architecture)" ] || exec "${@:2}"
case $arch in
    arm64) qemu=aarch64 loader=ld-linux-aarch64.so.1 ;;
    armhf) qemu=arm loader=ld-linux-armhf.so.3 ;;
    *) fail "cannot emulate '$arch', only arm64 and armhf" 2 ;;
esac
root=${XDG_CACHE_HOME:-$HOME/.cache}/tributary/cross/root
[ -x "$root/usr/bin/qemu-$qemu-static" ] && [ -e "$root/lib/$loader" ] ||
    fail "no emulator for $arch in $root; 'cross/build.sh $arch' makes that root"

runs() { "$root/lib/$loader" --version >/dev/null 2>&1; }
if [ -z "${TRIBUTARY_EMULATE:-}" ] && [ "$(id -u)" -eq 0 ]; then # mounts of our own
    TRIBUTARY_EMULATE=1 exec unshare --mount --propagation private "$BASH" "${BASH_SOURCE[0]}" "$@"
fi
unset TRIBUTARY_EMULATE
shift

formats=/proc/sys/fs/binfmt_misc
[ -e $formats/register ] || mount -t binfmt_misc none $formats 2>/dev/null || true
if [ ! -w $formats/register ]; then
    ! runs || exec "$@" # somebody has told it
    [ "$(id -u)" -eq 0 ] || fail "this kernel runs no programs of $arch, and only root may teach it; run this with sudo"
    fail "this kernel runs no programs of $arch, and binfmt_misc, by which it would learn, cannot be mounted here.
  On a machine of your own try 'modprobe binfmt_misc'. A container may not do it: there the machine below must know the emulator
  beforehand, for instance by 'apt-get install qemu-user-static binfmt-support' on it."
fi
for left in $formats/tributary-*; do # by a run that was killed; its process was part of the name
    [ ! -e "$left" ] || [ -e "/proc/${left##*-}" ] || echo -1 >"$left"
done

# One of our own, for one that is there already may be another run's. The words are QEMU's, but for name and place. F: it is opened
# now, to be at hand in any root.
name=tributary-$qemu-$$
trap '[ ! -e "$formats/$name" ] || echo -1 >"$formats/$name"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
sed "s|^:[^:]*|:$name|; s|:/usr/libexec/|:$root/usr/libexec/|; s|[A-Z]*\$|OPF|" "$root/usr/lib/binfmt.d/qemu-$qemu.conf" \
    >$formats/register || fail "the kernel refuses the emulator $root/usr/bin/qemu-$qemu-static"
runs || fail "the kernel has the emulator, but programs of $arch still do not run"
"$@"
