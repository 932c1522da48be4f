#!/bin/sh
# In the place of the official image's entrypoint, which cannot be fetched where this is tested: what it promises to
# files in /docker-entrypoint.d, in their order.
# shellcheck disable=SC1090
set -e
if [ "$1" = nginx ]; then
    find /docker-entrypoint.d -type f | sort -V | while read -r file; do
        case $file in
            *.envsh) . "$file" ;;
            *.sh) "$file" ;;
        esac
    done
fi
exec "$@"
