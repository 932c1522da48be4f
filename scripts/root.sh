# Read by the scripts beside it that want a clean Debian of their own: a directory, made by mmdebstrap and kept as an
# archive for the next that wants one. Only root can do that. What is mounted there is seen by the script alone.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

((EUID == 0)) || fail "only root can make a Debian of its own"
[[ ${WEBSOCKIFY_OWN_MOUNTS:-} ]] || exec env WEBSOCKIFY_OWN_MOUNTS=1 unshare --mount -- "$0" "$@"

# make_root PACKAGES: sets $tree to the directory of a new Debian with these (comma-separated), beyond the least there is.
make_root() {
    local archive key
    key=$(printf '%s\n' "$1" "$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null)" | cksum)
    archive=$build/roots/${key%% *}.tar
    mkdir -p "$build/roots"
    # Packages are renewed within a day.
    if [[ ! $(find "$archive" -mmin -1440 2>/dev/null) ]]; then
        logged "root-${key%% *}" bootstrap "$1" "${archive%.tar}.new.tar"
        mv "${archive%.tar}.new.tar" "$archive"
    fi
    tree=$(mktemp -d "${TMPDIR:-/tmp}/websockify-root.XXXXXX")
    tar xf "$archive" -C "$tree"
    mount_root
}

# From where this machine has its own packages.
# shellcheck disable=SC2016
bootstrap() {
    local release sources=() customs=() file
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [[ ! -s $file ]] || sources+=("$file")
    done
    for file in /etc/apt/apt.conf.d/*; do
        # What a container's image does for its own size is not wanted, and proxies and the like are.
        case ${file##*/} in
            docker-* | 0* | 2* | 5*) ;;
            *) customs+=("--customize-hook=copy-in $file /etc/apt/apt.conf.d/") ;;
        esac
    done
    if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
        customs+=('--customize-hook=mkdir -p "$1/usr/local/share/ca-certificates"')
        for file in /usr/local/share/ca-certificates/*.crt; do
            customs+=("--customize-hook=copy-in $file /usr/local/share/ca-certificates/")
        done
        customs+=('--customize-hook=[ ! -x "$1/usr/sbin/update-ca-certificates" ] || chroot "$1" update-ca-certificates')
    fi
    mmdebstrap --mode=root --variant=minbase ${1:+--include="$1"} "${customs[@]}" "$release" "$2" "${sources[@]}"
}

mount_root() {
    mount -t proc proc "$tree/proc"
    rm -f "$tree/etc/resolv.conf"
    cp /etc/resolv.conf /etc/hosts "$tree/etc/"
}

remove_root() {
    umount "$tree/proc" && rm -rf --one-file-system "$tree"
}

enter() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$tree" "$@"
}

# Without a network but its own loopback, and with processes that end with the first one.
# shellcheck disable=SC2016
enter_alone() {
    unshare --mount --net --pid --fork --kill-child -- "$BASH" -c '
        mount -t proc proc "$1/proc"
        ip link set lo up
        exec env -i PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 chroot "$@"' - "$tree" "$@"
}

# without_services COMMAND...: packages that it installs there start nothing.
without_services() {
    local status=0
    printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
    chmod 755 "$tree/usr/sbin/policy-rc.d"
    "$@" || status=$?
    rm "$tree/usr/sbin/policy-rc.d"
    return "$status"
}
