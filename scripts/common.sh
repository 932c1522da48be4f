# Read by the scripts beside it: where things are, and how to say what is wrong.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build

# Servers stand where an ordinary user's PATH does not look, and rustup where a fresh shell's or sudo's does not.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:${HOME:-}/.cargo/bin

# NGINX is make's word for which nginx; to a running nginx the same variable means sockets it inherits.
which_nginx=${WHICH_NGINX:-${NGINX:-}}
unset NGINX

has() {
    command -v "$1" >/dev/null 2>&1
}

# The version of everything here has one place.
version() {
    sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# logged NAME COMMAND...: runs quietly, and shows the end of what was said if that fails.
logged() {
    local log=$build/logs/$1.log
    shift
    mkdir -p "$build/logs"
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        fail "\"$*\" failed; all it said is in $log"
    fi
}
