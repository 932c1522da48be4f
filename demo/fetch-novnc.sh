#!/bin/sh
# Unpacks noVNC's page from Debian's package into build/novnc. The package itself is not installed: it would bring
# websockify and half of Python along, which is what this module replaces.
set -eu

repository=$(cd "$(dirname "$0")/.." && pwd)
destination=$repository/build/novnc

if [ -f "$destination/vnc.html" ]; then
    exit 0
fi
echo "fetching noVNC's page from the distribution's package novnc into build/novnc"
mkdir -p "$repository/build"
work=$(mktemp -d "$repository/build/novnc.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

cd "$work"
# apt's own user may not write here, and its warning about that helps nobody.
if ! apt-get download -q -o APT::Sandbox::User=root novnc >apt.log 2>&1; then
    cat apt.log >&2
    echo "demo: cannot download the package novnc (is \`apt-get update\` due?)" >&2
    exit 1
fi
dpkg-deb --extract novnc_*.deb unpacked
rm -rf "$destination"
mv unpacked/usr/share/novnc "$destination"
