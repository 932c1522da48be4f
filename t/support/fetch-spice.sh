#!/bin/bash
# Unpacks qemu, with what it needs that is not here, and spice-html5 from Debian's packages into build/spice, for
# t/clients-spice.t. They are not installed: qemu-system-x86 would remove a qemu-utils of another version.
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
destination=$repository/build/spice

packages=()
command -v qemu-system-x86_64 >/dev/null || packages+=(qemu-system-x86)
[[ -d /usr/share/spice-html5 ]] || packages+=(spice-html5)
if [[ ! ${packages[*]} || -d $destination ]]; then
    exit 0
fi
mkdir -p "$repository/build"
work=$(mktemp -d "$repository/build/spice.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

mkdir -p "$work/archives/partial" "$work/unpacked"
# apt's own user may not write here, and nothing is installed that another apt would have to wait for.
apt-get -q -y --download-only --no-install-recommends -o Dir::Cache::archives="$work/archives" -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root install "${packages[@]}"
for package in "$work"/archives/*.deb; do
    dpkg-deb --extract "$package" "$work/unpacked"
done
libraries=$(printf '%s:' "$work"/unpacked/{usr/,}lib/*-linux-gnu*)
PATH=$work/unpacked/usr/bin:$PATH LD_LIBRARY_PATH=${libraries%:} qemu-system-x86_64 --version
mv "$work/unpacked" "$destination"
