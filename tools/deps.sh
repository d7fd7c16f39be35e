#!/usr/bin/env bash
# Installs every Debian package that building, testing and the demo need, and those named as arguments. Quick when nothing is
# missing; starts no service.
#   tools/deps.sh                    what building and testing need
#   tools/deps.sh dpkg-dev file      and these
set -euo pipefail

for argument in "$@"; do
    case $argument in
        -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
        [!a-z0-9]* | *[!a-z0-9+.-]* | '') echo "tools/deps.sh: '$argument' is not the name of a package; see --help" >&2; exit 2 ;;
    esac
done

# shellcheck source=tools/packages.sh
. "$(dirname "${BASH_SOURCE[0]}")/packages.sh"
packages=(g++ "${build_packages[@]}" "${library_packages[@]}" "${test_packages[@]}" clang-format clang-tidy "$@")

release=$(. /etc/os-release 2>/dev/null && echo "${ID:-unknown} ${VERSION_ID:-}") || release=unknown
if [ "$release" != "debian 12" ]; then
    {
        echo "tools/deps.sh: this script installs packages on Debian 12 only; this system is '$release'."
        echo "Install the equivalents of these Debian 12 packages yourself, then build with CMake:"
        printf '  %s\n' "${packages[@]}"
    } >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "tools/deps.sh: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi

# Packages such as mosquitto would start their service; a policy that says no keeps the machine as it was.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

plural=s
[ ${#missing[@]} -gt 1 ] || plural=
echo "Installing ${#missing[@]} Debian package$plural: ${missing[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
